import { SendMessageBatchCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../shared/lambda/clock.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';

interface Waiting {
  readonly url: string;
  readonly dueMs: number;
  readonly record: QueueRecord;
}

/** All queues of a deployment. A record is handed out once. */
export class Queues {
  readonly #clock: Pick<Clock, 'now' | 'newId'>;
  readonly #backlogMs: (url: string) => number;
  #waiting: Waiting[] = [];

  /** `backlogMs` says how long a record waits behind others. */
  constructor(clock: Pick<Clock, 'now' | 'newId'>, backlogMs: (url: string) => number) {
    this.#clock = clock;
    this.#backlogMs = backlogMs;
  }

  get nextDueMs(): number {
    return this.#waiting.reduce((first, { dueMs }) => Math.min(first, dueMs), Infinity);
  }

  send(url: string, body: string, delaySeconds = 0): void {
    const now = this.#clock.now();
    const record = {
      messageId: this.#clock.newId(),
      body,
      receiptHandle: 'receipt',
      eventSourceARN: `arn:aws:sqs:eu-central-1:000000000000:${url}`,
      attributes: { ApproximateReceiveCount: '1', SentTimestamp: String(now) },
    };
    const dueMs = Math.floor(now + delaySeconds * 1_000 + this.#backlogMs(url));
    this.#waiting.push({ url, dueMs, record });
  }

  /** Everything that is due in the queue whose turn it is. */
  receive(): { readonly url: string; readonly Records: readonly QueueRecord[] } | undefined {
    const now = this.#clock.now();
    const url = this.#waiting.find(({ dueMs }) => dueMs <= now)?.url;
    if (url === undefined) return undefined;
    const { taken = [], left = [] } = Object.groupBy(this.#waiting, (each) =>
      each.url === url && each.dueMs <= now ? 'taken' : 'left',
    );
    this.#waiting = left;
    return { url, Records: taken.map(({ record }) => record) };
  }

  get client(): Pick<SQSClient, 'send'> {
    const send = async (command: object) => {
      if (command instanceof SendMessageBatchCommand) {
        const { QueueUrl = '', Entries = [] } = command.input;
        for (const { MessageBody = '', DelaySeconds } of Entries)
          this.send(QueueUrl, MessageBody, DelaySeconds);
      }
      if (command instanceof SendMessageCommand) {
        const { QueueUrl = '', MessageBody = '', DelaySeconds } = command.input;
        this.send(QueueUrl, MessageBody, DelaySeconds);
      }
      return {};
    };
    return { send } as never;
  }
}
