import { decodeJob } from '../../shared/delivery/job.ts';
import { type RunDeps, runJob } from '../../shared/delivery/run.ts';
import type { QueueRecord } from '../../shared/events.ts';
import { mapLimit } from '../../shared/map-limit.ts';
import type { FailedRecord } from '../../shared/worker.ts';

/** Runs a batch of delivery jobs, each for itself. Answers with the records to hand out again. */
export async function deliverJobs(
  records: readonly QueueRecord[],
  deps: RunDeps & { readonly jobsInFlightMax: number },
): Promise<FailedRecord[]> {
  const results = await mapLimit(records, deps.jobsInFlightMax, ({ body }) => runJob(decodeJob(body), deps));
  return records.flatMap((record, index) => {
    const result = results[index];
    return result?.status === 'rejected' ? { record, reason: result.reason } : [];
  });
}
