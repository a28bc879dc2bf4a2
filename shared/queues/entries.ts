import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';
import { isThrottle, RefusedError, type RetryClock, type RetryLimits, untilTaken } from '../retry.ts';

/** Entries in one batch call (SQS API reference). */
export const BATCH_ENTRIES_MAX = 10;

interface Entry {
  /** By which the answer names it. */
  readonly Id: string | undefined;
}
/** Sends one batch; SQS answers 200 and lists the entries that it did not take. */
type SendBatch<E> = (
  rest: E[],
) => Promise<{ readonly Failed?: readonly BatchResultErrorEntry[] | undefined }>;

/** Has SQS take every entry of a batch. Throws if it does not, with the reason that it gives for one of them. */
export async function sendEntries<E extends Entry>(
  entries: readonly E[],
  send: SendBatch<E>,
  limits: RetryLimits,
  clock: RetryClock,
): Promise<void> {
  let reason = '';
  const refusedOf = async (rest: readonly E[]): Promise<readonly E[]> => {
    const failed = await failedOf(rest, send);
    const lasting = failed.find(({ SenderFault }) => SenderFault);
    const { Code, Message } = lasting ?? failed[0] ?? {};
    reason = `expected the queue to take the batch, got ${Code}: ${Message}`;
    if (lasting) throw new Error(reason);
    const ids = new Set(failed.map(({ Id }) => Id));
    return rest.filter(({ Id }) => ids.has(Id));
  };
  const left = await untilTaken(entries, refusedOf, limits, clock);
  if (left.length > 0) throw new RefusedError(reason);
}

async function failedOf<E extends Entry>(
  entries: readonly E[],
  send: SendBatch<E>,
): Promise<readonly Partial<BatchResultErrorEntry>[]> {
  try {
    return (await send([...entries])).Failed ?? [];
  } catch (error) {
    // The whole call was too much, and by then the SDK has tried three times.
    if (isThrottle(error)) return entries.map(({ Id }) => ({ Id, Code: error.name, Message: error.message }));
    throw error;
  }
}
