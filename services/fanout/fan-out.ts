import { mapLimit } from '../../shared/async.ts';
import type { JobOutcome } from '../../shared/delivery/post-job.ts';
import { remarksOn } from '../../shared/delivery/remarks.ts';
import { type RunDeps, runJob } from '../../shared/delivery/run.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { FailedRecord, WorkerResult } from '../../shared/lambda/worker.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import { batchesByTarget, groupsSharingNoRecord, type TargetBatch, type TargetDraft } from './batch.ts';
import { type ParseDeps, parseRecords } from './parse.ts';
import { type ResolveDeps, resolve, type ShardSubscribers } from './resolve.ts';
import { jobsFor } from './serve.ts';
import { type PrepareDeps, type Prepared, prepare } from './store.ts';

export interface FanOutDeps extends ParseDeps, PrepareDeps, ResolveDeps, RunDeps {
  /** Up to this many subscribers are served here and now; more are split into delivery jobs. */
  readonly inlineMax: number;
}

const TARGETS_IN_FLIGHT_MAX = 10;
/** While posts have no turn for so long, the delivery queue is the better place to wait. */
const INLINE_WAIT_MS = 2_000;

interface Resolved extends Prepared {
  readonly target: Target;
  readonly subscribers: readonly ShardSubscribers[];
}

/**
 * Brings a batch of published messages to their subscribers: messages with the same target are resolved once and
 * delivered together, and no target waits for another, unless one record names both.
 */
export async function fanOut(
  records: readonly QueueRecord[],
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<WorkerResult> {
  const { parsed, failed } = await parseRecords(records, deps);
  const outcomes = await Promise.all(
    groupsSharingNoRecord(batchesByTarget(parsed)).map((batches) => deliverGroup(batches, deps, stopAtMs)),
  );
  return {
    failed: [...failed, ...outcomes.flatMap(({ failed }) => failed)],
    remarks: remarksOn(outcomes.flatMap(({ jobs }) => jobs)),
  };
}

interface GroupOutcome {
  readonly jobs: readonly JobOutcome[];
  readonly failed: readonly FailedRecord[];
}

/**
 * Everything is stored before anybody is looked for, so that whoever subscribes meanwhile finds it in the log if not in
 * the feed; and everybody is known before anybody is served, so that a failed read leaves nothing half delivered.
 */
async function deliverGroup(
  batches: readonly TargetBatch[],
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<GroupOutcome> {
  const { resolved, failed } = await resolveAll(batches, deps);
  const results = await mapLimit(resolved, TARGETS_IN_FLIGHT_MAX, (each) => serve(each, deps, stopAtMs));
  const unserved = resolved.flatMap(({ entries }, index) => failuresOf(entries, results[index]));
  return {
    failed: distinct([...failed, ...unserved]),
    jobs: results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
  };
}

/** A record with a target that could not be resolved is served to none of its targets: it comes again as a whole. */
async function resolveAll(
  batches: readonly TargetBatch[],
  deps: FanOutDeps,
): Promise<{ readonly resolved: readonly Resolved[]; readonly failed: readonly FailedRecord[] }> {
  const reads = await mapLimit(batches, TARGETS_IN_FLIGHT_MAX, (batch) => resolveBatch(batch, deps));
  const failed = batches.flatMap(({ drafts }, index) => failuresOf(drafts, reads[index]));
  const failedRecords = new Set(failed.map(({ record }) => record));
  const resolved = reads.flatMap((read) => {
    if (read.status !== 'fulfilled') return [];
    const { entries, ...rest } = read.value;
    return { ...rest, entries: entries.filter(({ record }) => !failedRecords.has(record)) };
  });
  return { resolved, failed };
}

async function resolveBatch(batch: TargetBatch, deps: FanOutDeps): Promise<Resolved> {
  const { target } = batch;
  const prepared = await prepare(batch, deps);
  return {
    target,
    ...prepared,
    subscribers: prepared.entries.length === 0 ? [] : await resolve(target, deps),
  };
}

async function serve(
  { target, epoch, entries, receipts, subscribers }: Resolved,
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<JobOutcome[]> {
  const jobs = entries.length === 0 ? [] : jobsFor(target, epoch, entries, subscribers);
  const connections = jobs.reduce((sum, { connectionIds }) => sum + connectionIds.length, 0);
  const isInline = connections <= deps.inlineMax;
  if (!isInline) await deps.deliveryQueue.enqueue(jobs, 0);
  const inlineStopMs = Math.min(stopAtMs, deps.now() + INLINE_WAIT_MS);
  const here = [...receipts, ...(isInline ? jobs : [])];
  return Promise.all(here.map((job) => runJob(job, deps, inlineStopMs)));
}

const failuresOf = (
  drafts: readonly Pick<TargetDraft, 'record'>[],
  result: PromiseSettledResult<unknown> | undefined,
): FailedRecord[] =>
  result?.status === 'rejected' ? drafts.map(({ record }) => ({ record, reason: result.reason })) : [];

const distinct = (failed: readonly FailedRecord[]): FailedRecord[] => [
  ...new Map(failed.map((each) => [each.record, each])).values(),
];
