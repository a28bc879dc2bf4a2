import { mapLimit } from '../async.ts';
import type { Forget } from '../data/forget.ts';
import type { DeliveryJob } from '../queues/job.ts';
import {
  enqueueSlow,
  enqueueUnreached,
  forgetGone,
  type LeftoverDeps,
  retryFailed,
  retryThrottled,
} from './leftovers.ts';
import { type JobOutcome, type PostJobDeps, postJob, postSlowJobs } from './post-job.ts';

/** What running a job needs. */
export interface RunDeps extends PostJobDeps, LeftoverDeps {
  readonly forget: Forget;
}

/**
 * Runs a job to its end, or until `stopAtMs`: whatever is missing when this returns is a job or a dead letter that
 * names exactly the connections and messages it is missing for. If that cannot be written it throws, and the queue
 * hands out the whole job again: twice for some is better than never for others.
 */
export async function runJob(job: DeliveryJob, deps: RunDeps, stopAtMs: number): Promise<JobOutcome> {
  return leaveBehind(job, await postJob(job, deps, stopAtMs), deps);
}

/** `runJob` for slow jobs, which are posted together and end apart. */
export async function runSlowJobs(
  jobs: readonly DeliveryJob[],
  deps: RunDeps,
  stopAtMs: number,
): Promise<PromiseSettledResult<JobOutcome>[]> {
  const outcomes = await postSlowJobs(jobs, deps, stopAtMs);
  const ended = jobs.flatMap((job, index) => {
    const outcome = outcomes[index];
    return outcome ? { job, outcome } : [];
  });
  return mapLimit(ended, ended.length, ({ job, outcome }) => leaveBehind(job, outcome, deps));
}

/** Writes down what a job has not done. */
async function leaveBehind(job: DeliveryJob, outcome: JobOutcome, deps: RunDeps): Promise<JobOutcome> {
  const unforgotten = await forgetGone(job, outcome.gone, deps.forget);
  const failed = [...outcome.failed, ...unforgotten];
  await enqueueSlow(job, outcome.slow, deps);
  await enqueueUnreached(job, outcome.unreached, deps);
  await retryThrottled(job, outcome.throttled, deps);
  await retryFailed(job, failed, deps);
  return { ...outcome, failed };
}
