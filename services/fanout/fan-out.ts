import { mapLimit } from '../../shared/async.ts';
import type { JobOutcome } from '../../shared/delivery/post-job.ts';
import { remarksOn } from '../../shared/delivery/remarks.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { FailedRecord, WorkerResult } from '../../shared/lambda/worker.ts';
import { batchesByTarget, groupsSharingNoRecord, type TargetBatch } from './batch.ts';
import { isLogged } from './logged.ts';
import { type ParseDeps, parseRecords } from './parse.ts';
import { type ResolveDeps, resolve } from './resolve.ts';
import { type ResolvedBatch, type ServeDeps, serve } from './serve.ts';
import { type StoreDeps, store } from './store.ts';

/** What the steps of the fan-out need, taken together. */
export interface FanOutDeps extends ParseDeps, StoreDeps, ResolveDeps, ServeDeps {}

const TARGETS_IN_FLIGHT_MAX = 10;

/**
 * Brings published messages to their subscribers. Each step is a file:
 *
 * 1. `parse`: a record of the queue becomes what it publishes, or a dead letter.
 * 2. `batch`: messages for the same target become a target batch, so that it is stored and resolved once.
 * 3. `store`: on a topic that keeps history, messages get their offsets and are written to the log, unless the publish
 *    route has done so.
 * 4. `resolve`: the target's subscribers are looked up.
 * 5. `serve`: a few subscribers are served here and now, many through jobs on the delivery queue.
 *
 * No target waits for another, unless one record names both.
 */
export async function fanOut(
  records: readonly QueueRecord[],
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<WorkerResult> {
  const { parsed, failed } = await parseRecords(records, deps);
  const groups = groupsSharingNoRecord(batchesByTarget(parsed));
  const outcomes = await Promise.all(groups.map((group) => fanOutGroup(group, deps, stopAtMs)));
  return {
    failed: [...failed, ...outcomes.flatMap((outcome) => outcome.failed)],
    remarks: remarksOn(
      outcomes.flatMap((outcome) => outcome.jobs),
      outcomes.reduce((sum, { stale }) => sum + stale, 0),
    ),
  };
}

interface GroupOutcome {
  readonly jobs: readonly JobOutcome[];
  readonly stale: number;
  readonly failed: readonly FailedRecord[];
}

/** All subscribers are known before any are served, so that a failed read leaves nothing half delivered. */
async function fanOutGroup(
  group: readonly TargetBatch[],
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<GroupOutcome> {
  const { batches, failed } = await resolveGroup(group, deps);
  const served = await mapLimit(batches, TARGETS_IN_FLIGHT_MAX, (batch) => serve(batch, deps, stopAtMs));
  const unserved = batches.flatMap(({ deliverables }, index) => failuresOf(deliverables, served[index]));
  const stale = batches.reduce((sum, batch) => sum + batch.stale, 0);
  return { jobs: valuesOf(served).flat(), stale, failed: distinct([...failed, ...unserved]) };
}

/** A record with a target that could not be resolved is served to none of its targets: it comes again as a whole. */
async function resolveGroup(
  group: readonly TargetBatch[],
  deps: FanOutDeps,
): Promise<{ readonly batches: readonly ResolvedBatch[]; readonly failed: readonly FailedRecord[] }> {
  const results = await mapLimit(group, TARGETS_IN_FLIGHT_MAX, (batch) => storeAndResolve(batch, deps));
  const failed = group.flatMap(({ drafts }, index) => failuresOf(drafts, results[index]));
  const failedRecords = new Set(failed.map(({ record }) => record));
  const batches = valuesOf(results).map((batch) => ({
    ...batch,
    deliverables: batch.deliverables.filter(({ record }) => !failedRecords.has(record)),
  }));
  return { batches, failed };
}

/**
 * In this order, so that a client that subscribes in between finds the messages in the log; at the same time if they
 * are in the log already.
 */
async function storeAndResolve(batch: TargetBatch, deps: FanOutDeps): Promise<ResolvedBatch> {
  const early = isLogged(batch.drafts) ? resolve(batch.target, deps) : undefined;
  // A failure is thrown where it is awaited; if nothing is to be delivered, it does not matter.
  early?.catch(() => {});
  const stored = await store(batch, deps);
  const subscribers = stored.deliverables.length === 0 ? [] : await (early ?? resolve(stored.target, deps));
  return { ...stored, subscribers };
}

const failuresOf = (
  messages: readonly { readonly record: QueueRecord }[],
  result: PromiseSettledResult<unknown> | undefined,
): FailedRecord[] =>
  result?.status === 'rejected' ? messages.map(({ record }) => ({ record, reason: result.reason })) : [];

const valuesOf = <T>(results: readonly PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));

/** Each record once, with the last reason: it may have failed for several of its targets. */
const distinct = (failed: readonly FailedRecord[]): FailedRecord[] => [
  ...new Map(failed.map((each) => [each.record, each])).values(),
];
