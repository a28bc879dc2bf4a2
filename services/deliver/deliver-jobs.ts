import { mapLimit } from '../../shared/async.ts';
import type { JobOutcome } from '../../shared/delivery/post-job.ts';
import { remarksOn } from '../../shared/delivery/remarks.ts';
import { type RunDeps, runJob, runSlowJobs } from '../../shared/delivery/run.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { WorkerResult } from '../../shared/lambda/worker.ts';
import { type DeliveryJob, decodeJob } from '../../shared/queues/job.ts';

/**
 * Runs a batch of delivery jobs, none of which fails another; jobs for the very same connections run as one. Slow jobs
 * come over a queue of their own, so that no other job is in their batches.
 */
export async function deliverJobs(
  records: readonly QueueRecord[],
  deps: RunDeps,
  stopAtMs: number,
): Promise<WorkerResult> {
  const tasks = mergeAlike(records.map((record) => ({ records: [record], job: decodeJob(record.body) })));
  const { slow = [], usual = [] } = Object.groupBy(tasks, ({ job }) => (job.isSlow ? 'slow' : 'usual'));
  const results = await Promise.all([
    mapLimit(usual, usual.length, ({ job }) => runJob(job, deps, stopAtMs)),
    runSlowJobs(
      slow.map(({ job }) => job),
      deps,
      stopAtMs,
    ),
  ]);
  return resultOf([...usual, ...slow], results.flat());
}

function resultOf(
  tasks: readonly Task[],
  results: readonly PromiseSettledResult<JobOutcome>[],
): WorkerResult {
  return {
    failed: tasks.flatMap((task, index) => {
      const result = results[index];
      return result?.status === 'rejected'
        ? task.records.map((record) => ({ record, reason: result.reason }))
        : [];
    }),
    remarks: remarksOn(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))),
  };
}

/** A job, and the records that it came in. */
interface Task {
  readonly records: readonly QueueRecord[];
  readonly job: DeliveryJob;
}

/**
 * Messages published to a large topic soon after each other become jobs for the same connections: jobs that differ in
 * nothing but their messages, and since when they wait or are throttled, run as one, so that their messages share
 * frames. Together they have waited since the first of them did: else traffic would put off the end for ever.
 */
function mergeAlike(tasks: readonly Task[]): Task[] {
  const alike = Map.groupBy(
    tasks,
    ({ job: { messages: _, waitsSinceMs: __, throttledSinceMs: ___, ...rest } }) => JSON.stringify(rest),
  );
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    return {
      records: group.flatMap(({ records }) => records),
      job: {
        ...first.job,
        messages: group.flatMap(({ job }) => job.messages),
        ...earliest('waitsSinceMs', group),
        ...earliest('throttledSinceMs', group),
      },
    };
  });
}

function earliest<K extends 'waitsSinceMs' | 'throttledSinceMs'>(name: K, tasks: readonly Task[]) {
  const since = tasks.flatMap(({ job }) => job[name] ?? []);
  return since.length > 0 ? { [name]: Math.min(...since) } : {};
}
