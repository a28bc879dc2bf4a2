import type { QueueEvent, QueueRecord, QueueResult } from './events.ts';
import { logger } from './logger.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';
import { type Context, type Handler, stack } from './stack.ts';

/** A record that is to be handed out again, and why. */
export interface FailedRecord {
  readonly record: QueueRecord;
  readonly reason: unknown;
}
export interface WorkerResult {
  readonly failed: readonly FailedRecord[];
  /** What an operator wants to see; undefined when all went as it should. */
  readonly remarks: Readonly<Record<string, number>> | undefined;
}

/**
 * The stack of every queue worker. `run` settles each record by itself and answers with those that failed, so that
 * one bad record does not replay its batch. It starts nothing new at or after `stopAtMs`: the other half of the
 * function's timeout is for what it has begun.
 */
export const worker = (
  run: (records: readonly QueueRecord[], stopAtMs: number) => Promise<WorkerResult>,
  now: () => number,
): Handler<QueueEvent, QueueResult> =>
  stack([logContext(), lastResort()], async ({ Records }: QueueEvent, context: Context) => {
    const { failed, remarks } = await run(Records, now() + context.getRemainingTimeInMillis() / 2);
    if (remarks) logger.info('not everybody was served', remarks);
    for (const { record, reason } of failed) {
      logger.error('record failed, the queue hands it out again', {
        messageId: record.messageId,
        error: reason as Error,
      });
    }
    return { batchItemFailures: failed.map(({ record }) => ({ itemIdentifier: record.messageId })) };
  });
