import type { Delivery } from '../../shared/delivery/deliver.ts';
import { toJobMessage } from '../../shared/delivery/frames.ts';
import { type RunDeps, remarksOn, runJob } from '../../shared/delivery/run.ts';
import { badRequest, ClientError } from '../../shared/errors.ts';
import type { QueueRecord } from '../../shared/events.ts';
import { mapLimit } from '../../shared/map-limit.ts';
import { parseObject } from '../../shared/protocol.ts';
import {
  type Envelope,
  expiryOf,
  messagesTo,
  type Publication,
  parsePublication,
  type Target,
} from '../../shared/publication.ts';
import type { DeadLetters } from '../../shared/queues.ts';
import type { FailedRecord, WorkerResult } from '../../shared/worker.ts';
import { type Entry, jobsFor } from './jobs.ts';
import { type ResolveDeps, resolve, type Slice } from './resolve.ts';

export interface FanOutDeps extends ResolveDeps, RunDeps {
  /** Where events go that no later try can make sense of. */
  readonly badEvents: DeadLetters;
  /** Up to this many subscribers are served here and now; more are split into delivery jobs. */
  readonly inlineMax: number;
}

const TARGETS_IN_FLIGHT_MAX = 10;
/** While posts have no turn for so long, the delivery queue is the better place to wait. */
const INLINE_WAIT_MS = 2_000;

interface Inbound {
  readonly record: QueueRecord;
  readonly publication: Publication;
  readonly expiresAtMs: number | undefined;
}
/** What a batch has for one target. */
interface Share {
  readonly target: Target;
  readonly entries: readonly (Entry & { readonly record: QueueRecord })[];
}
interface Resolved extends Share {
  readonly slices: readonly Slice[];
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
  const { inbound, failed } = await parseAll(records, deps.badEvents);
  const parts = await Promise.all(
    independent(sharesOf(inbound)).map((shares) => deliverPart(shares, deps, stopAtMs)),
  );
  return {
    failed: [...failed, ...parts.flatMap((part) => part.failed)],
    remarks: remarksOn(parts.flatMap((part) => part.deliveries)),
  };
}

function sharesOf(inbound: readonly Inbound[]): Share[] {
  const entries = inbound.flatMap(({ record, publication, expiresAtMs }) =>
    publication.targets.flatMap((target) =>
      messagesTo(target, publication).map((message) => ({
        target,
        record,
        message: toJobMessage(message, expiresAtMs),
        except: publication.except ?? [],
      })),
    ),
  );
  return [...Map.groupBy(entries, ({ target }) => JSON.stringify(target)).values()].flatMap((group) =>
    group[0] ? { target: group[0].target, entries: group } : [],
  );
}

/** Parts of a batch that have no record in common. */
function independent(shares: readonly Share[]): Share[][] {
  let parts: Share[][] = [];
  for (const share of shares) {
    const records = new Set(share.entries.map(({ record }) => record));
    const { tied = [], apart = [] } = Object.groupBy(parts, (part) =>
      part.some(({ entries }) => entries.some(({ record }) => records.has(record))) ? 'tied' : 'apart',
    );
    parts = [...apart, [...tied.flat(), share]];
  }
  return parts;
}

interface Part {
  readonly deliveries: readonly Delivery[];
  readonly failed: readonly FailedRecord[];
}

/** Everybody is known before anybody is served, so that a failed read leaves nothing half delivered. */
async function deliverPart(shares: readonly Share[], deps: FanOutDeps, stopAtMs: number): Promise<Part> {
  const { resolved, failed } = await resolveAll(shares, deps);
  const results = await mapLimit(resolved, TARGETS_IN_FLIGHT_MAX, (share) => serve(share, deps, stopAtMs));
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
  const reads = await mapLimit(shares, TARGETS_IN_FLIGHT_MAX, ({ target }) => resolve(target, deps));
  const failed = shares.flatMap(({ entries }, index) => failuresOf(entries, reads[index]));
  const failedRecords = new Set(failed.map(({ record }) => record));
  const resolved = shares.flatMap(({ target, entries }, index) => {
    const read = reads[index];
    if (read?.status !== 'fulfilled') return [];
    return {
      target,
      entries: entries.filter(({ record }) => !failedRecords.has(record)),
      slices: read.value,
    };
  });
  return { resolved, failed };
}

async function serve(
  { target, entries, slices }: Resolved,
  deps: FanOutDeps,
  stopAtMs: number,
): Promise<Delivery[]> {
  if (entries.length === 0) return [];
  const jobs = jobsFor(target, entries, slices);
  const connections = jobs.reduce((sum, { connectionIds }) => sum + connectionIds.length, 0);
  if (connections > deps.inlineMax) {
    await deps.deliveryQueue.add(jobs, 0);
    return [];
  }
  const inlineStopMs = Math.min(stopAtMs, deps.now() + INLINE_WAIT_MS);
  return Promise.all(jobs.map((job) => runJob(job, deps, inlineStopMs)));
}

const failuresOf = (
  entries: Share['entries'],
  result: PromiseSettledResult<unknown> | undefined,
): FailedRecord[] =>
  result?.status === 'rejected' ? entries.map(({ record }) => ({ record, reason: result.reason })) : [];

const distinct = (failed: readonly FailedRecord[]): FailedRecord[] => [
  ...new Map(failed.map((each) => [each.record, each])).values(),
];

interface Parsed {
  readonly inbound: readonly Inbound[];
  readonly failed: readonly FailedRecord[];
}

/** A bad event becomes a dead letter with its reason, and harms no other event of its batch. */
async function parseAll(records: readonly QueueRecord[], badEvents: DeadLetters): Promise<Parsed> {
  const inbound: Inbound[] = [];
  const failed: FailedRecord[] = [];
  for (const record of records) {
    const parsed = parseRecord(record);
    if (!(parsed instanceof ClientError)) inbound.push(parsed);
    else {
      const { message } = parsed;
      await badEvents.add(record.body, message).catch((reason: unknown) => failed.push({ record, reason }));
    }
  }
  return { inbound, failed };
}

function parseRecord(record: QueueRecord): Inbound | ClientError {
  try {
    const { detail, ...envelope } = parseEvent(record.body);
    const publication = parsePublication(detail, envelope);
    return { record, publication, expiresAtMs: expiryOf(publication, envelope) };
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

/** An envelope is EventBridge's own work and trusted; its detail is anybody's, and so is what else is in the queue. */
function parseEvent(body: string): Envelope & { readonly detail: unknown } {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch {
    throw badRequest('an EventBridge event', body);
  }
  return parseObject('an EventBridge event', event) as unknown as Envelope & { readonly detail: unknown };
}
