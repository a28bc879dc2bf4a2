import { mapLimit } from '../async.ts';
import type { Forget } from '../data/forget.ts';
import { type DeliveryJob, encodeJob, retryDelaySeconds } from '../queues/job.ts';
import type { DeadLetters, DeliveryQueue } from '../queues/queues.ts';
import { urgencyOf } from './pace.ts';
import { type Failure, type JobOutcome, type PostJobDeps, postJob, type Unreached } from './post-job.ts';

export interface RunDeps extends PostJobDeps {
  readonly forget: Forget;
  readonly deliveryQueue: DeliveryQueue;
  readonly deadLetters: DeadLetters;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly attemptsMax: number;
  readonly random: () => number;
}

const FORGETS_IN_FLIGHT_MAX = 16;

/**
 * Runs a job to its end, or until `stopAtMs`: whatever is missing when this returns is a job or a dead letter that
 * names exactly the connections and messages it is missing for. If that cannot be written it throws, and the queue
 * hands out the whole job again: twice for some is better than never for others.
 */
export async function runJob(job: DeliveryJob, deps: RunDeps, stopAtMs: number): Promise<JobOutcome> {
  const outcome = await postJob(job, deps, stopAtMs);
  const unforgotten = await forgetGone(job, outcome.gone, deps.forget);
  const failed = [...outcome.failed, ...unforgotten];
  await goOn(job, outcome.unreached, deps);
  await tryAgain(job, failed, deps);
  return { ...outcome, failed };
}

/** Rows that could not be deleted are tried again with the failed posts: the next 410 leads back here. */
async function forgetGone(
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
async function goOn(job: DeliveryJob, unreached: readonly Unreached[], deps: RunDeps): Promise<void> {
  const rest = [...Map.groupBy(unreached, ({ from }) => from)];
  if (rest.length === 0) return;
  const urgency = urgencyOf(job) === 'bulk' && { urgency: 'bulk' as const };
  await deps.deliveryQueue.enqueue(
    rest.map(([from, group]) => ({ ...missing(job, from, group), ...urgency })),
    0,
  );
}

async function tryAgain(job: DeliveryJob, failed: readonly Failure[], deps: RunDeps): Promise<void> {
  const groups = [...Map.groupBy(failed, ({ from }) => from)];
  if (groups.length === 0) return;
  if (job.attempt < deps.attemptsMax) {
    const retries = groups.map(([from, group]) => ({
      ...missing(job, from, group),
      attempt: job.attempt + 1,
    }));
    return deps.deliveryQueue.enqueue(retries, retryDelaySeconds(job.attempt, deps.random));
  }
  for (const [from, group] of groups) {
    for (const [reason, alike] of Map.groupBy(group, ({ reason }) => reason)) {
      // A dead letter starts afresh when it is redriven.
      for (const body of encodeJob({ ...missing(job, from, alike), attempt: 1 })) {
        await deps.deadLetters.bury(body, `${reason} (attempt ${job.attempt} of ${deps.attemptsMax})`);
      }
    }
  }
}

const missing = (job: DeliveryJob, from: number, whom: readonly Unreached[]): DeliveryJob => ({
  ...job,
  messages: job.messages.slice(from),
  connectionIds: whom.map(({ connectionId }) => connectionId),
});

/** What an operator wants to see of jobs: undefined when every connection got everything. */
export function remarksOn(outcomes: readonly JobOutcome[]): Readonly<Record<string, number>> | undefined {
  const sum = (count: (outcome: JobOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const missed = {
    gone: sum(({ gone }) => gone.length),
    failed: sum(({ failed }) => failed.length),
    throttled: sum(({ throttled }) => throttled),
    unreached: sum(({ unreached }) => unreached.length),
    expired: sum(({ expired }) => expired),
  };
  if (Object.values(missed).every((count) => count === 0)) return undefined;
  return { delivered: sum(({ delivered }) => delivered), ...missed };
}
