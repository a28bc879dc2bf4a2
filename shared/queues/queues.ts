import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { mapAll } from '../async.ts';
import { toQueueText } from '../protocol/json.ts';
import type { RetryClock, RetryLimits } from '../retry.ts';
import { BATCH_ENTRIES_MAX, sendEntries } from './entries.ts';
import { type DeliveryJob, encodeJob } from './job.ts';

/** All of one SendMessageBatch (SQS API reference). */
const BATCH_BYTES_MAX = 1_048_576;
/** The jobs of a million subscribers are 200 batches. */
const BATCHES_IN_FLIGHT_MAX = 8;
/** What a worker cannot hand on it does again from the start, so it waits long for that: it has 90 s in all. */
const RETRY_LIMITS: RetryLimits = { firstWaitMs: 50, waitMaxMs: 2_000, totalMs: 10_000 };
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

export function createDeliveryQueue(
  client: Pick<SQSClient, 'send'>,
  url: string,
  clock: RetryClock,
): DeliveryQueue {
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
      await mapAll([...batches(numbered)], BATCHES_IN_FLIGHT_MAX, (batch) =>
        sendEntries(
          batch,
          (rest) => client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: rest })),
          RETRY_LIMITS,
          clock,
        ),
      );
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
            reason: { DataType: 'String', StringValue: toQueueText(reason.slice(0, REASON_LENGTH_MAX)) },
          },
        }),
      );
    },
  };
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
