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

/** What the stack itself needs. */
export interface WorkerDeps {
  readonly now: () => number;
  /** Has the queue hand out these again soon. */
  readonly redeliver: (records: readonly QueueRecord[]) => Promise<void>;
}

/**
 * The stack of every queue worker. `run` settles each record by itself and answers with those that failed, so that
 * one bad record does not replay its batch. It starts nothing new at or after `stopAtMs`: the other half of the
 * function's timeout is for what it has begun. What failed comes again soon, and not when its visibility timeout ends.
 */
export const worker = (
  run: (records: readonly QueueRecord[], stopAtMs: number) => Promise<WorkerResult>,
  { now, redeliver }: WorkerDeps,
): Handler<QueueEvent, QueueResult> =>
  stack([logContext(), lastResort()], async ({ Records }: QueueEvent, context: Context) => {
    const stopAtMs = now() + context.getRemainingTimeInMillis() / 2;
    const { failed, remarks } = await run(Records, stopAtMs).catch(async (error) => {
      await hasten(Records, redeliver);
      throw error;
    });
    if (remarks) logger.info('not everybody was served', remarks);
    for (const { record, reason } of failed) {
      logger.error('record failed, the queue hands it out again', {
        messageId: record.messageId,
        error: reason as Error,
      });
    }
    await hasten(
      failed.map(({ record }) => record),
      redeliver,
    );
    return { batchItemFailures: failed.map(({ record }) => ({ itemIdentifier: record.messageId })) };
  });

/** If the queue does not agree, the records come all the same, only later. */
async function hasten(records: readonly QueueRecord[], redeliver: WorkerDeps['redeliver']): Promise<void> {
  if (records.length === 0) return;
  await redeliver(records).catch((error: unknown) => {
    logger.error('records stay hidden until their visibility timeout ends', {
      messageIds: records.map(({ messageId }) => messageId),
      error: error as Error,
    });
  });
}
