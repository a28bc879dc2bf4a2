import { mapLimit } from '../map-limit.ts';
import type { DeadLetters, DeliveryQueue } from '../queues.ts';
import type { Topic } from '../topic.ts';
import { type DeliverDeps, type Delivery, deliver, type Failure } from './deliver.ts';
import { type DeliveryJob, encodeJob, retryDelaySeconds } from './job.ts';

/** Deletes the rows of a connection that answered 410. */
export type Forget = (connectionId: string, topic: Topic | undefined) => Promise<void>;

export interface RunDeps extends DeliverDeps {
  readonly forget: Forget;
  readonly deliveryQueue: DeliveryQueue;
  readonly deadLetters: DeadLetters;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly attemptsMax: number;
  readonly random: () => number;
}

const FORGETS_IN_FLIGHT_MAX = 16;

/**
 * Runs a job to its end: whatever is missing when this returns is a retry job or a dead letter that names exactly
 * the connections and frames it is missing for. If that cannot be written it throws, and the queue hands out the
 * whole job again: twice for some is better than never for others.
 */
export async function runJob(job: DeliveryJob, deps: RunDeps): Promise<Delivery> {
  const delivery = await deliver(job, deps);
  const unforgotten = await forgetGone(job, delivery.gone, deps.forget);
  const failed = [...delivery.failed, ...unforgotten];
  if (failed.length > 0) await handOn(job, failed, deps);
  return { ...delivery, failed };
}

/** Rows that could not be deleted are tried again with the failed posts: the next 410 leads back here. */
async function forgetGone(
  { topic }: DeliveryJob,
  gone: readonly string[],
  forget: Forget,
): Promise<Failure[]> {
  const results = await mapLimit(gone, FORGETS_IN_FLIGHT_MAX, (connectionId) => forget(connectionId, topic));
  return gone.flatMap((connectionId, index) => {
    const result = results[index];
    return result?.status === 'rejected'
      ? { connectionId, from: 0, reason: `gone, but its rows stay: ${result.reason}` }
      : [];
  });
}

async function handOn(job: DeliveryJob, failed: readonly Failure[], deps: RunDeps): Promise<void> {
  const groups = [...Map.groupBy(failed, ({ from }) => from)];
  if (job.attempt < deps.attemptsMax) {
    const retries = groups.map(([from, group]) => ({
      ...missing(job, from, group),
      attempt: job.attempt + 1,
    }));
    return deps.deliveryQueue.add(retries, retryDelaySeconds(job.attempt, deps.random));
  }
  for (const [from, group] of groups) {
    for (const [reason, alike] of Map.groupBy(group, ({ reason }) => reason)) {
      // A dead letter starts afresh when it is redriven.
      for (const body of encodeJob({ ...missing(job, from, alike), attempt: 1 })) {
        await deps.deadLetters.add(body, `${reason} (attempt ${job.attempt} of ${deps.attemptsMax})`);
      }
    }
  }
}

const missing = (job: DeliveryJob, from: number, failed: readonly Failure[]): DeliveryJob => ({
  ...job,
  frames: job.frames.slice(from),
  connectionIds: failed.map(({ connectionId }) => connectionId),
});
