import type { Forget } from '../data/forget.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { enqueueUnreached, forgetGone, type LeftoverDeps, retryFailed } from './leftovers.ts';
import { type JobOutcome, type PostJobDeps, postJob } from './post-job.ts';

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
  const outcome = await postJob(job, deps, stopAtMs);
  const unforgotten = await forgetGone(job, outcome.gone, deps.forget);
  const failed = [...outcome.failed, ...unforgotten];
  await enqueueUnreached(job, outcome.unreached, deps);
  await retryFailed(job, failed, deps);
  return { ...outcome, failed };
}
