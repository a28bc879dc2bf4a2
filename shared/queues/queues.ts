import { setTimeout as delay } from 'node:timers/promises';
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { mapAll } from '../async.ts';
import { type DeliveryJob, encodeJob } from './job.ts';

/** Limits of one SendMessageBatch (SQS API reference). */
export const BATCH_ENTRIES_MAX = 10;
const BATCH_BYTES_MAX = 1_048_576;
/** The jobs of a million subscribers are 200 batches. */
const BATCHES_IN_FLIGHT_MAX = 8;
/** SQS answers 200 and lists the entries that it did not take; after this many tries that is an error. */
const BATCH_TRIES_MAX = 5;
const BATCH_BACKOFF_MS = 50;
/** A person reads it, so that the beginning is enough. */
const REASON_LENGTH_MAX = 1_000;

/** Where jobs wait for a delivery worker. */
export interface DeliveryQueue {
  /** Resolves once the queue has all of them. */
  enqueue(jobs: readonly DeliveryJob[], delaySeconds: number): Promise<void>;
}
/** Where messages end that no further try can help. */
export interface DeadLetters {
  /** `body` stays as it was, so that it can be redriven; the reason travels as a message attribute. */
  bury(body: string, reason: string): Promise<void>;
}

export function createDeliveryQueue(client: Pick<SQSClient, 'send'>, url: string): DeliveryQueue {
  return {
    async enqueue(jobs, delaySeconds) {
      const entries = jobs.flatMap((job) =>
        encodeJob(job).map((body) => ({
          MessageBody: body,
          MessageGroupId: job.group,
          DelaySeconds: delaySeconds,
        })),
      );
      const numbered = entries.map((entry, index) => ({ ...entry, Id: String(index) }));
      await mapAll([...batches(numbered)], BATCHES_IN_FLIGHT_MAX, (batch) => sendAll(client, url, batch));
    },
  };
}

export function createDeadLetters(client: Pick<SQSClient, 'send'>, url: string): DeadLetters {
  return {
    async bury(body, reason) {
      await client.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: body,
          MessageAttributes: {
            reason: { DataType: 'String', StringValue: reason.slice(0, REASON_LENGTH_MAX) },
          },
        }),
      );
    },
  };
}

async function sendAll(
  client: Pick<SQSClient, 'send'>,
  url: string,
  batch: readonly SendMessageBatchRequestEntry[],
): Promise<void> {
  let rest = [...batch];
  for (let tries = 0; rest.length > 0; tries++) {
    if (tries > 0) await delay(BATCH_BACKOFF_MS * 2 ** tries);
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: rest }));
    const refused = Failed.find(({ SenderFault }) => SenderFault);
    if (refused || (Failed.length > 0 && tries + 1 === BATCH_TRIES_MAX)) {
      const { Code, Message } = refused ?? Failed[0] ?? {};
      throw new Error(`expected the queue to take the batch, got ${Code}: ${Message}`);
    }
    rest = rest.filter(({ Id }) => Failed.some((failed) => failed.Id === Id));
  }
}

function* batches(
  entries: readonly SendMessageBatchRequestEntry[],
): Generator<SendMessageBatchRequestEntry[]> {
  let batch: SendMessageBatchRequestEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.MessageBody ?? '');
    if (batch.length === BATCH_ENTRIES_MAX || (batch.length > 0 && bytes + size > BATCH_BYTES_MAX)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
