import middy from '@middy/core';
import type { QueueEvent, QueueRecord, QueueResult } from './events.ts';
import { logger } from './log.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';

/** A record that is to be handed out again, and why. */
export interface FailedRecord {
  readonly record: QueueRecord;
  readonly reason: unknown;
}

/**
 * The stack of every queue worker. `run` settles each record by itself and answers with those that failed, so that
 * one bad record does not replay its batch.
 */
export const worker = (run: (records: readonly QueueRecord[]) => Promise<readonly FailedRecord[]>) =>
  middy<QueueEvent, QueueResult>()
    .use([logContext(), lastResort()])
    .handler((async ({ Records }: QueueEvent): Promise<QueueResult> => {
      const failed = await run(Records);
      for (const { record, reason } of failed) {
        logger.error('record failed, the queue hands it out again', {
          messageId: record.messageId,
          error: reason as Error,
        });
      }
      return { batchItemFailures: failed.map(({ record }) => ({ itemIdentifier: record.messageId })) };
    }) as never);
