import { mapLimit } from '../async.ts';
import type { Forget } from '../data/forget.ts';
import {
  type DeliveryJob,
  encodeJob,
  retryDelaySeconds,
  slowRetryDelaySeconds,
  throttledDelaySeconds,
} from '../queues/job.ts';
import type { DeadLetters, DeliveryQueue } from '../queues/queues.ts';
import { urgencyOf } from './pace.ts';
import type { Failure, Unreached } from './post-job.ts';

/** Where the rest of a job goes. */
export interface LeftoverDeps {
  readonly deliveryQueue: DeliveryQueue;
  /** Holds jobs for connections that hang, so that no other job waits behind them. */
  readonly slowQueue: DeliveryQueue;
  readonly deadLetters: DeadLetters;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly attemptsMax: number;
  readonly now: () => number;
  readonly random: () => number;
}
type QueueDeps = Pick<LeftoverDeps, 'deliveryQueue' | 'slowQueue'>;

const FORGETS_IN_FLIGHT_MAX = 16;
/**
 * So long a connection may answer nothing but 429. It is no failure of the connection, so no attempt is used up; but if
 * the client never reads again, the job has to end some time.
 */
const THROTTLED_MINUTES_MAX = 15;

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

/** Where they are given all the time that a post may take. So far they were not, so that it counts as no attempt. */
export async function enqueueSlow(
  job: DeliveryJob,
  slow: readonly Unreached[],
  deps: QueueDeps,
): Promise<void> {
  await enqueueMissing({ ...job, isSlow: true }, slow, 0, deps);
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
  const { waitsSinceMs = deps.now() } = job;
  if (deps.now() - waitsSinceMs > WAIT_MAX_MS) {
    const reason = 'no worker had time for it';
    const named = unreached.map((each) => ({ ...each, reason }));
    return bury(job, named, `within ${WAIT_MAX_MS / 3_600_000} hours`, deps);
  }
  const urgency = urgencyOf(job) === 'bulk' && { urgency: 'bulk' as const };
  await enqueueMissing({ ...job, ...urgency, waitsSinceMs }, unreached, 0, deps);
}

/**
 * A 429 is tried again as the same attempt, until it has been nothing else for too long. Who takes one frame in the
 * meantime, takes the others later.
 */
export async function retryThrottled(
  job: DeliveryJob,
  throttled: readonly Failure[],
  deps: LeftoverDeps,
): Promise<void> {
  const { moving = [], stuck = [] } = Object.groupBy(throttled, ({ from }) =>
    from > 0 ? 'moving' : 'stuck',
  );
  const { throttledSinceMs: _, ...afresh } = job;
  await waitForReaders(job, stuck, deps);
  await waitForReaders(afresh, moving, deps);
}

async function waitForReaders(
  job: DeliveryJob,
  throttled: readonly Failure[],
  deps: LeftoverDeps,
): Promise<void> {
  const { throttledSinceMs = deps.now() } = job;
  const throttledMs = deps.now() - throttledSinceMs;
  if (throttledMs >= THROTTLED_MINUTES_MAX * 60_000) {
    return bury(job, throttled, `for ${THROTTLED_MINUTES_MAX} minutes`, deps);
  }
  const delaySeconds = throttledDelaySeconds(throttledMs, deps.random);
  await enqueueMissing({ ...job, throttledSinceMs }, throttled, delaySeconds, deps);
}

/** What failed is tried again after a pause, or becomes a dead letter if that was the last attempt. */
export async function retryFailed(
  { throttledSinceMs: _, ...job }: DeliveryJob,
  failed: readonly Failure[],
  deps: LeftoverDeps,
): Promise<void> {
  const { attempt } = job;
  if (attempt >= deps.attemptsMax) {
    return bury(job, failed, `(attempt ${attempt} of ${deps.attemptsMax})`, deps);
  }
  const delaySeconds = (job.isSlow ? slowRetryDelaySeconds : retryDelaySeconds)(attempt, deps.random);
  await enqueueMissing({ ...job, attempt: attempt + 1 }, failed, delaySeconds, deps);
}

/** One job for all that miss the same messages. */
async function enqueueMissing(
  job: DeliveryJob,
  whom: readonly Unreached[],
  delaySeconds: number,
  { deliveryQueue, slowQueue }: QueueDeps,
): Promise<void> {
  if (whom.length === 0) return;
  const groups = [...Map.groupBy(whom, ({ from }) => from)];
  const queue = job.isSlow ? slowQueue : deliveryQueue;
  await queue.enqueue(
    groups.map(([from, group]) => missing(job, from, group)),
    delaySeconds,
  );
}

/** As a first attempt, because a dead letter that is redriven starts afresh. */
async function bury(
  { isSlow: _, waitsSinceMs: __, throttledSinceMs: ___, ...job }: DeliveryJob,
  failed: readonly Failure[],
  howLong: string,
  { deadLetters }: Pick<LeftoverDeps, 'deadLetters'>,
): Promise<void> {
  for (const [from, group] of Map.groupBy(failed, (each) => each.from)) {
    for (const [reason, alike] of Map.groupBy(group, (each) => each.reason)) {
      for (const body of encodeJob({ ...missing(job, from, alike), attempt: 1 })) {
        await deadLetters.bury(body, `${reason} ${howLong}`);
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
