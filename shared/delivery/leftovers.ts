import { mapLimit } from '../async.ts';
import type { Forget } from '../data/forget.ts';
import { type DeliveryJob, encodeJob, retryDelaySeconds } from '../queues/job.ts';
import type { DeadLetters, DeliveryQueue } from '../queues/queues.ts';
import { urgencyOf } from './pace.ts';
import type { Failure, Unreached } from './post-job.ts';

/** Where the rest of a job goes. */
export interface LeftoverDeps {
  readonly deliveryQueue: DeliveryQueue;
  readonly deadLetters: DeadLetters;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly attemptsMax: number;
  readonly random: () => number;
}

const FORGETS_IN_FLIGHT_MAX = 16;

/** Rows that could not be deleted are tried again with the failed posts: the next 410 leads back here. */
export async function forgetGone(
  { shards }: DeliveryJob,
  gone: readonly string[],
  forget: Forget,
): Promise<Failure[]> {
  const results = await mapLimit(gone, FORGETS_IN_FLIGHT_MAX, (connectionId) => forget(connectionId, shards));
  return gone.flatMap((connectionId, index) => {
    const result = results[index];
    return result?.status === 'rejected'
      ? { connectionId, from: 0, reason: `gone, but its rows stay: ${result.reason}` }
      : [];
  });
}

/** Time ran short: the next worker goes on where this one stopped, and it counts as no attempt. */
export async function enqueueUnreached(
  job: DeliveryJob,
  unreached: readonly Unreached[],
  deps: Pick<LeftoverDeps, 'deliveryQueue'>,
): Promise<void> {
  const rest = [...Map.groupBy(unreached, ({ from }) => from)];
  if (rest.length === 0) return;
  const urgency = urgencyOf(job) === 'bulk' && { urgency: 'bulk' as const };
  await deps.deliveryQueue.enqueue(
    rest.map(([from, group]) => ({ ...missing(job, from, group), ...urgency })),
    0,
  );
}

/** What failed is tried again after a pause, or becomes a dead letter if that was the last attempt. */
export async function retryFailed(
  job: DeliveryJob,
  failed: readonly Failure[],
  deps: LeftoverDeps,
): Promise<void> {
  const groups = [...Map.groupBy(failed, ({ from }) => from)];
  if (groups.length === 0) return;
  if (job.attempt >= deps.attemptsMax) return bury(job, failed, deps);
  const retries = groups.map(([from, group]) => ({
    ...missing(job, from, group),
    attempt: job.attempt + 1,
  }));
  await deps.deliveryQueue.enqueue(retries, retryDelaySeconds(job.attempt, deps.random));
}

async function bury(
  job: DeliveryJob,
  failed: readonly Failure[],
  { deadLetters, attemptsMax }: LeftoverDeps,
): Promise<void> {
  for (const [from, group] of Map.groupBy(failed, (each) => each.from)) {
    for (const [reason, alike] of Map.groupBy(group, (each) => each.reason)) {
      // As a first attempt, because a dead letter that is redriven starts afresh.
      for (const body of encodeJob({ ...missing(job, from, alike), attempt: 1 })) {
        await deadLetters.bury(body, `${reason} (attempt ${job.attempt} of ${attemptsMax})`);
      }
    }
  }
}

/** The part of a job that some connections still miss. */
const missing = (job: DeliveryJob, from: number, whom: readonly Unreached[]): DeliveryJob => ({
  ...job,
  messages: job.messages.slice(from),
  connectionIds: whom.map(({ connectionId }) => connectionId),
});
