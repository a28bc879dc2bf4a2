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
  readonly now: () => number;
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

/**
 * How long a job may wait for a worker that has time for it. The smallest budget of requests makes 216,000 posts
 * meanwhile; what is later than this is no push any more, and somebody should know.
 */
const WAIT_MAX_MS = 6 * 3_600_000;

/**
 * Time ran short: the next worker goes on where this one stopped, and it counts as no attempt. Lambda would end that
 * after some 16 times, were it not allowed to this function, so the bound on it is our own.
 */
export async function enqueueUnreached(
  job: DeliveryJob,
  unreached: readonly Unreached[],
  deps: LeftoverDeps,
): Promise<void> {
  const rest = [...Map.groupBy(unreached, ({ from }) => from)];
  if (rest.length === 0) return;
  const waitsSinceMs = job.waitsSinceMs ?? deps.now();
  if (deps.now() - waitsSinceMs > WAIT_MAX_MS) {
    const reason = `no worker had time for it within ${WAIT_MAX_MS / 3_600_000} hours`;
    return bury(
      job,
      unreached.map((each) => ({ ...each, reason })),
      deps,
    );
  }
  const urgency = urgencyOf(job) === 'bulk' && { urgency: 'bulk' as const };
  await deps.deliveryQueue.enqueue(
    rest.map(([from, group]) => ({ ...missing(job, from, group), ...urgency, waitsSinceMs })),
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
  { waitsSinceMs: _, ...job }: DeliveryJob,
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
