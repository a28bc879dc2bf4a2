import { mapLimit } from '../../shared/async.ts';
import type { JobOutcome } from '../../shared/delivery/post-job.ts';
import { remarksOn } from '../../shared/delivery/remarks.ts';
import { type RunDeps, runJob } from '../../shared/delivery/run.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { FailedRecord, WorkerResult } from '../../shared/lambda/worker.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import { type ParseDeps, type ParsedRecord, parseRecords } from './parse.ts';
import { type ResolveDeps, resolve, type ShardSubscribers } from './resolve.ts';
import { jobsFor } from './serve.ts';
import { type PrepareDeps, type Prepared, prepare, type Share, type ShareDraft } from './store.ts';

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
  const parts = await Promise.all(
    independent(sharesOf(parsed)).map((shares) => deliverPart(shares, deps, stopAtMs)),
  );
  return {
    failed: [...failed, ...parts.flatMap((part) => part.failed)],
    remarks: remarksOn(parts.flatMap((part) => part.deliveries)),
  };
}

function sharesOf(parsed: readonly ParsedRecord[]): Share[] {
  const drafts = parsed.flatMap(({ record, publication, expiresAtMs }) =>
    publication.targets.flatMap((target) => draftsFor(target, { record, publication, expiresAtMs })),
  );
  return [...Map.groupBy(drafts, ({ target }) => JSON.stringify(target)).values()].flatMap((group) =>
    group[0] ? { target: group[0].target, drafts: group } : [],
  );
}

function draftsFor(
  target: Target,
  { record, publication, expiresAtMs }: ParsedRecord,
): (ShareDraft & { readonly target: Target })[] {
  const { payloads, except, receipt } = publication;
  const isRedelivered = Number(record.attributes?.ApproximateReceiveCount ?? 1) > 1;
  return messagesTo(target, publication).map((message, index) => {
    const { messageId = '', key, version } = payloads[index] ?? {};
    return {
      target,
      record,
      message,
      origin: messageId,
      mayBeRepeated: key !== undefined || isRedelivered,
      ...(version !== undefined && { version }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      ...(except && { except }),
      ...(receipt && { receipt }),
    };
  });
}

/** Parts of a batch that have no record in common. */
function independent(shares: readonly Share[]): Share[][] {
  let parts: Share[][] = [];
  for (const share of shares) {
    const records = new Set(share.drafts.map(({ record }) => record));
    const { tied = [], apart = [] } = Object.groupBy(parts, (part) =>
      part.some(({ drafts }) => drafts.some(({ record }) => records.has(record))) ? 'tied' : 'apart',
    );
    parts = [...apart, [...tied.flat(), share]];
  }
  return parts;
}

interface Part {
  readonly deliveries: readonly JobOutcome[];
  readonly failed: readonly FailedRecord[];
}

/**
 * Everything is stored before anybody is looked for, so that whoever subscribes meanwhile finds it in the log if not in
 * the feed; and everybody is known before anybody is served, so that a failed read leaves nothing half delivered.
 */
async function deliverPart(shares: readonly Share[], deps: FanOutDeps, stopAtMs: number): Promise<Part> {
  const { resolved, failed } = await resolveAll(shares, deps);
  const results = await mapLimit(resolved, TARGETS_IN_FLIGHT_MAX, (each) => serve(each, deps, stopAtMs));
  const unserved = resolved.flatMap(({ entries }, index) => failuresOf(entries, results[index]));
  return {
    failed: distinct([...failed, ...unserved]),
    deliveries: results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
  };
}

/** A record with a target that could not be resolved is served to none of its targets: it comes again as a whole. */
async function resolveAll(
  shares: readonly Share[],
  deps: FanOutDeps,
): Promise<{ readonly resolved: readonly Resolved[]; readonly failed: readonly FailedRecord[] }> {
  const reads = await mapLimit(shares, TARGETS_IN_FLIGHT_MAX, (share) => resolveShare(share, deps));
  const failed = shares.flatMap(({ drafts }, index) => failuresOf(drafts, reads[index]));
  const failedRecords = new Set(failed.map(({ record }) => record));
  const resolved = reads.flatMap((read) => {
    if (read.status !== 'fulfilled') return [];
    const { entries, ...rest } = read.value;
    return { ...rest, entries: entries.filter(({ record }) => !failedRecords.has(record)) };
  });
  return { resolved, failed };
}

async function resolveShare(share: Share, deps: FanOutDeps): Promise<Resolved> {
  const { target } = share;
  const prepared = await prepare(share, deps);
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
  parts: readonly Pick<ShareDraft, 'record'>[],
  result: PromiseSettledResult<unknown> | undefined,
): FailedRecord[] =>
  result?.status === 'rejected' ? parts.map(({ record }) => ({ record, reason: result.reason })) : [];

const distinct = (failed: readonly FailedRecord[]): FailedRecord[] => [
  ...new Map(failed.map((each) => [each.record, each])).values(),
];
