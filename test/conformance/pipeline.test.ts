import { randomUUID } from 'node:crypto';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { CONCURRENCY_MAX, EVENT_SOURCE, RECEIVE_COUNT_MAX, VISIBILITY_SECONDS } from './stages.ts';
import { isDeployed, openTarget, type Target, TIMEOUT_MS } from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

/** How far the clocks of two services may be apart. */
const CLOCK_SKEW_MS = isDeployed ? 100 : 0;
const POLL_SECONDS = 5;
const BACKLOG = 8;
/** Long enough that invocations which may overlap do: the local pool takes its time to start another environment. */
const BUSY_MS = isDeployed ? 1000 : 600;

interface Delivery {
  readonly messageId: string;
  readonly receiveCount: number;
  readonly firstReceivedAt: number;
  readonly startedAt: number;
}

/** Sends messages in one batch; answers with their ids. */
async function send(queue: Parameters<Target['queueUrl']>[0], bodies: readonly unknown[]): Promise<string[]> {
  const Entries = bodies.map((body, index) => ({ Id: String(index), MessageBody: JSON.stringify(body) }));
  const { Successful = [] } = await target.sqs.send(
    new SendMessageBatchCommand({ QueueUrl: target.queueUrl(queue), Entries }),
  );
  return Successful.map(({ MessageId }) => String(MessageId));
}

/** What a case's worker has been given so far, and when. */
async function deliveries(name: string): Promise<Delivery[]> {
  const seen = await target.observations.of(name);
  return seen.flatMap(({ startedAt, event }) =>
    event.Records.map(
      ({ messageId, attributes }: { messageId: string; attributes: Record<string, string> }) => ({
        messageId,
        receiveCount: Number(attributes.ApproximateReceiveCount),
        firstReceivedAt: Number(attributes.ApproximateFirstReceiveTimestamp),
        startedAt,
      }),
    ),
  );
}

/** Takes messages off a queue until one says what is looked for. */
async function take(
  queue: Parameters<Target['queueUrl']>[0],
  matches: (body: string) => boolean,
): Promise<Message> {
  const QueueUrl = target.queueUrl(queue);
  for (;;) {
    const { Messages = [] } = await target.sqs.send(
      new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: POLL_SECONDS, AttributeNames: ['All'] }),
    );
    for (const message of Messages) {
      await target.sqs.send(
        new DeleteMessageCommand({ QueueUrl, ReceiptHandle: String(message.ReceiptHandle) }),
      );
      if (matches(String(message.Body))) return message;
    }
  }
}

// Each has a queue of its own, and mostly waits for it.
describe.concurrent('pipeline', { timeout: TIMEOUT_MS }, () => {
  it('PL-PARTIAL retries a batch whose answer makes no sense, and takes an empty one for success', async () => {
    const failures = (...batchItemFailures: unknown[]) => ({ batchItemFailures });
    const successful = [null, {}, failures(), { batchItemFailures: null }];
    const senseless = [
      failures({ itemIdentifier: randomUUID() }),
      failures({ itemIdentifier: '' }),
      failures({ itemIdentifier: null }),
      failures({ wrongKey: 'x' }),
      'a text', // what no object is; the runtime makes JSON of everything, so there is no answer that is none
    ];
    const sendWith = async (answer: unknown) => {
      const name = randomUUID();
      const ids = await send('Partial', [
        { case: name, answer },
        { case: name, answer },
      ]);
      const received = async () => new Set((await deliveries(name)).map(({ messageId }) => messageId));
      await until(async () => (await received()).size === ids.length); // so that no batch has two answers
      return { name, ids };
    };
    const done = [];
    for (const answer of successful) done.push(await sendWith(answer));
    const retried = [];
    for (const answer of senseless) retried.push(await sendWith(answer));

    for (const { name, ids } of retried) {
      for (const id of ids) {
        await until(async () =>
          (await deliveries(name)).some(
            ({ messageId, receiveCount }) => messageId === id && receiveCount > 1,
          ),
        );
      }
    }
    // These would have come back before those.
    for (const { name } of done) {
      expect((await deliveries(name)).map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
    }
  });

  it('PL-VIS gives a failed message again after its visibility timeout, and to the dead letters at the end', async () => {
    const name = randomUUID();
    const [fine, failing] = await send('Retry', [{ case: name }, { case: name, fails: true }]);
    const letter = await take('DeadLetters', (body) => body.includes(name));
    expect(letter.MessageId).toBe(failing);

    const all = await deliveries(name);
    expect(all.filter(({ messageId }) => messageId === fine)).toHaveLength(1);
    const attempts = all.filter(({ messageId }) => messageId === failing);
    expect(attempts.map(({ receiveCount }) => receiveCount)).toEqual([1, RECEIVE_COUNT_MAX]);
    for (const { startedAt, firstReceivedAt } of attempts.slice(1)) {
      expect(startedAt - firstReceivedAt).toBeGreaterThanOrEqual(VISIBILITY_SECONDS * 1000 - CLOCK_SKEW_MS);
    }
  });

  it('PL-EB refuses eleven events together and a bad one alone, and hands on an envelope of nine keys', async () => {
    const name = randomUUID();
    const entry = (index: number) => ({
      EventBusName: target.eventBusName,
      Source: EVENT_SOURCE,
      DetailType: 'conformance',
      Detail: JSON.stringify({ name, index }),
      Resources: ['arn:aws:example'],
    });
    const eleven = Array.from({ length: 11 }, (_, index) => entry(index));
    await expect(target.events.send(new PutEventsCommand({ Entries: eleven }))).rejects.toMatchObject({
      name: 'ValidationException',
      $metadata: { httpStatusCode: 400 },
    });

    const { DetailType: _, ...bad } = entry(1);
    const answer = await target.events.send(new PutEventsCommand({ Entries: [entry(0), bad, entry(2)] }));
    expect(answer.FailedEntryCount).toBe(1);
    expect(answer.Entries).toEqual([
      { EventId: expect.any(String) },
      { ErrorCode: 'InvalidArgument', ErrorMessage: expect.any(String) },
      { EventId: expect.any(String) },
    ]);

    const { Body } = await take(
      'Events',
      (body) => body.includes(name) && JSON.parse(body).detail.index === 2,
    );
    expect(JSON.parse(String(Body))).toEqual({
      version: '0',
      id: answer.Entries?.[2]?.EventId,
      'detail-type': 'conformance',
      source: EVENT_SOURCE,
      account: expect.stringMatching(/^\d{12}$/),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: expect.any(String),
      resources: ['arn:aws:example'],
      detail: { name, index: 2 },
    });
  });
});

describe('pipeline', { timeout: TIMEOUT_MS }, () => {
  it('PL-CONC has as many invocations at once as the mapping allows when there is a backlog, and never more', async () => {
    const name = randomUUID();
    await send('Backlog', Array(BACKLOG).fill({ case: name, busyMs: BUSY_MS }));
    await until(async () => (await target.observations.of(name)).length >= BACKLOG);
    const invocations = await target.observations.of(name);
    const atOnce = invocations.map(
      ({ startedAt }) =>
        invocations.filter((each) => each.startedAt <= startedAt && startedAt < Number(each.endedAt)).length,
    );
    expect(Math.max(...atOnce)).toBe(CONCURRENCY_MAX);
  });
});
