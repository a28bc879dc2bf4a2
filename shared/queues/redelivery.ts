import { ChangeMessageVisibilityBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { chunks, mapAll } from '../async.ts';
import { jittered, type RetryClock, type RetryLimits } from '../retry.ts';
import { BATCH_ENTRIES_MAX, sendEntries } from './entries.ts';

/** What is read of a record that a queue has handed out. */
interface HandedOut {
  readonly receiptHandle: string;
  readonly eventSourceARN: string;
  readonly attributes: { readonly ApproximateReceiveCount: string };
}

/**
 * Has a queue hand out again soon what has failed: left alone, it comes back when its visibility timeout ends, which is
 * six times as long as a worker may run. Rejects if the queue did not agree: then it comes back at that time.
 */
type Redeliver = (records: readonly HandedOut[]) => Promise<void>;

/** As often as a record can fail in a minute or so of throttled tables: see RECEIVE_COUNT_MAX in infra/queues.ts. */
const DELAY_MAX_SECONDS = 15;
/** The records are lost to nobody meanwhile, so that a few tries will do. */
const RETRY_LIMITS: RetryLimits = { firstWaitMs: 50, waitMaxMs: 1_000, totalMs: 3_000 };
const BATCHES_IN_FLIGHT_MAX = 4;

/** About 1, 2, 4, 8, and from then on 15 s after it has been handed out so often; at least half of that. */
export function redeliveryDelaySeconds(receives: number, random: () => number): number {
  const longest = Math.min(DELAY_MAX_SECONDS, 2 ** (receives - 1));
  return Math.max(1, Math.round(jittered(longest, random)));
}

/** For any queue of the account and the region that `queueUrl` is of: their URLs differ only in the name. */
export const createRedelivery =
  (client: Pick<SQSClient, 'send'>, queueUrl: string, clock: RetryClock): Redeliver =>
  async (records) => {
    const urlOf = ({ eventSourceARN }: HandedOut): string =>
      new URL(eventSourceARN.split(':').at(-1) ?? '', queueUrl).href;
    for (const [url, ofQueue] of Map.groupBy(records, urlOf)) {
      const entries = ofQueue.map(({ receiptHandle, attributes }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: redeliveryDelaySeconds(Number(attributes.ApproximateReceiveCount), clock.random),
      }));
      await mapAll([...chunks(entries, BATCH_ENTRIES_MAX)], BATCHES_IN_FLIGHT_MAX, (batch) =>
        sendEntries(
          batch,
          (rest) => client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries: rest })),
          RETRY_LIMITS,
          clock,
        ),
      );
    }
  };
