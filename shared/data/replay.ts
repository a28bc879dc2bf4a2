import type { LogPage } from '../protocol/acks.ts';
import { type LossReason, type Position, REPLAY_MAX, type Rewind } from '../protocol/frames.ts';
import {
  endOf,
  type Hole,
  type HoleDeps,
  holesBetween,
  isSettled,
  type LogView,
  lookUntil,
  type Mark,
  settleAll,
  startOf,
  wasNeverWritten,
} from './holes.ts';
import type { Log, LogEntry, Logs } from './log.ts';

/**
 * Reads what a topic has kept, as one connection may have it. No page passes over an offset that is not decided: one
 * that was allocated and not written becomes a tombstone here, and its writer has to take another.
 */
export interface ReplayDeps extends HoleDeps {
  readonly logs: HoleDeps['logs'] & Pick<Logs, 'read'>;
}
export interface View extends LogView {
  readonly connectionId: string;
}
export interface ReplayPage {
  /** Messages, written out, in the order asked for. */
  readonly messages: readonly string[];
  /** How far the page goes: an offset up to there without a message has none for this connection. */
  readonly offset: number;
  readonly more: boolean;
}

/** A page as acks have it. What is in the log was written by Fanwire itself, so that it is trusted to be a message. */
export const toLogPage = ({ epoch }: Log, { messages, offset, more }: ReplayPage): LogPage<string> => ({
  epoch,
  offset,
  ...(messages.length > 0 && { messages }),
  ...(more && { more }),
});

/** A page fits one reply: API Gateway takes messages of 128 KB. */
const PAGE_BYTES_MAX = 100_000;
/** Entries in one read: few enough that it is not much more than a page. */
const READ_MAX = 100;
/** A rewind is read as a whole, and sent in pages. */
const REWIND_BYTES_MAX = 1_000_000;

/** What comes after a position, or why it cannot be had without a loss. */
export async function readAfter(
  { epoch, offset }: Position,
  limit: number,
  view: View,
  deps: ReplayDeps,
): Promise<ReplayPage | LossReason> {
  const { log, head } = view;
  if (epoch !== log.epoch) return 'epoch';
  if (offset > head.offset) return 'unknown_position';
  if (offset < floorOf(view)) return 'trimmed';
  if (offset === head.offset) return { messages: [], offset, more: false };
  const up = await lookUp(offset, limit, view, deps);
  const isLost =
    up.holes.some((hole) => !wasNeverWritten(hole, view, deps)) ||
    up.found.some((entry) => !isKept(entry, view, deps));
  return isLost ? 'trimmed' : pageUp(up, view, deps);
}

/** From the oldest message that is kept. */
export async function readFromOldest(limit: number, view: View, deps: ReplayDeps): Promise<ReplayPage> {
  // Some of it may have become too old by now, or always was by another worker's clock: it is read all the same.
  const { after, found, holes, ...up } = await readUp(await newestTooOld(view, deps), limit, view, deps);
  const gone = holes.findLast((hole) => !wasNeverWritten(hole, view, deps))?.offset ?? after;
  const isThere = ({ offset }: Hole): boolean => offset > gone;
  return pageUp(
    { ...up, after: gone, found: found.filter(isThere), holes: holes.filter(isThere) },
    view,
    deps,
  );
}

/** In descending order, from just below `before`. */
export async function readBack(
  before: number | undefined,
  limit: number,
  view: View,
  deps: ReplayDeps,
): Promise<ReplayPage> {
  const from = Math.min(view.head.offset, (before ?? Infinity) - 1);
  const limits = { messages: limit, bytes: PAGE_BYTES_MAX, sinceMs: -Infinity };
  const { entries, isWhole } = await readDown(from, limits, view, deps);
  const page = fitting(entries.toReversed());
  return {
    messages: messagesFor(page, view, deps),
    offset: page.at(-1)?.offset ?? from + 1,
    more: !isWhole || page.length < entries.length,
  };
}

/** The newest messages, in ascending order. */
export async function rewind(wanted: Rewind, view: View, deps: ReplayDeps): Promise<ReplayPage> {
  const limits =
    typeof wanted === 'number'
      ? { messages: wanted, sinceMs: -Infinity }
      : { messages: REPLAY_MAX, sinceMs: deps.now() - wanted.seconds * 1000 };
  const { entries, newest } = await readDown(
    view.head.offset,
    { ...limits, bytes: REWIND_BYTES_MAX },
    view,
    deps,
  );
  const page = fitting(entries);
  const isCut = page.length < entries.length;
  return {
    messages: messagesFor(page, view, deps),
    offset: isCut ? (page.at(-1)?.offset ?? newest) : newest,
    more: isCut,
  };
}

interface Up {
  /** The offset that it begins after. */
  readonly after: number;
  readonly count: number;
  readonly found: readonly LogEntry[];
  readonly holes: readonly Hole[];
  /** There is nothing above. */
  readonly isLast: boolean;
}

/** What seems to be lost may only be on its way, if nothing above it is there yet. */
function lookUp(after: number, limit: number, view: View, deps: ReplayDeps): Promise<Up> {
  const isKnown = ({ holes, found }: Up): boolean => {
    const lost = holes.findLast((hole) => !wasNeverWritten(hole, view, deps));
    return !lost || found.some(({ offset }) => offset > lost.offset);
  };
  return lookUntil(isKnown, () => readUp(after, limit, view, deps), view, deps);
}

/** Entries just after an offset, so many at most, and what is missing between them. */
async function readUp(after: number, limit: number, view: View, deps: ReplayDeps): Promise<Up> {
  const count = Math.min(limit, READ_MAX);
  // The entry at the position itself says how old what follows can be.
  const read = await deps.logs.read(view.log, { from: after, limit: count + 1 });
  const at = read[0]?.offset === after ? read[0] : undefined;
  const found = (at ? read.slice(1) : read).slice(0, count);
  const isLast = found.length < count && (await isEnd(read, view, deps));
  const marks = [at ?? (await markBelow(after, view, deps)), ...found, ...(isLast ? [endOf(view)] : [])];
  return { after, count, found, holes: holesBetween(marks, view), isLast };
}

async function pageUp(
  { after, count, found, holes, isLast }: Up,
  view: View,
  deps: ReplayDeps,
): Promise<ReplayPage> {
  // What was allocated just now is on its way, and comes by itself.
  const settleTo = isSettled(view, deps) ? Infinity : (found.at(-1)?.offset ?? after);
  const settled = await settleAll(
    holes.filter((hole) => hole.offset < settleTo),
    view,
    deps,
  );
  const entries = inOrder([...found, ...settled]);
  const page = fitting(entries.slice(0, count));
  return {
    messages: messagesFor(page, view, deps),
    offset: page.at(-1)?.offset ?? after,
    more: !isLast || page.length < entries.length,
  };
}

/** Whether nothing comes after what was read. A read that brings less than was asked for may have been cut off at 1 MB. */
async function isEnd(read: readonly LogEntry[], { log, head }: View, { logs }: ReplayDeps): Promise<boolean> {
  const last = read.at(-1);
  if (!last || last.offset >= head.offset) return true;
  return (await logs.read(log, { from: last.offset + 1, limit: 1 })).length === 0;
}

interface DownLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly sinceMs: number;
}
interface Down {
  /** In ascending order. */
  readonly entries: readonly LogEntry[];
  /** Nothing above it has been read. */
  readonly newest: number;
  /** There is nothing below. */
  readonly isWhole: boolean;
}

/** Entries from `from` downwards, as many as are wanted. */
async function readDown(from: number, limits: DownLimits, view: View, deps: ReplayDeps): Promise<Down> {
  const { found, isWhole, top, deleted, unwritten } = await lookDown(from, limits, view, deps);
  if (found.length === 0 && from === view.head.offset && !isSettled(view, deps)) {
    // What was allocated just now comes live, and nothing else is there.
    return { entries: [], newest: top ?? (unwritten[0] ? unwritten[0].offset - 1 : from), isWhole };
  }
  const isAbove = ({ offset }: Hole): boolean => offset > deleted;
  const entries = inOrder([...found.filter(isAbove), ...(await settleAll(unwritten, view, deps))]);
  return { entries: newestOf(entries, limits.messages), newest: top ?? from, isWhole };
}

interface DownLook {
  readonly found: readonly LogEntry[];
  readonly isWhole: boolean;
  readonly top: number | undefined;
  /** Where an entry may have been deleted, what is left below does not follow on what is above. */
  readonly deleted: number;
  readonly unwritten: readonly Hole[];
}

/** What was written just now says how old what is beside it is. */
function lookDown(from: number, limits: DownLimits, view: View, deps: ReplayDeps): Promise<DownLook> {
  const isKnown = ({ deleted, unwritten }: DownLook): boolean =>
    deleted === 0 || unwritten.length === 0 || from !== view.head.offset;
  return lookUntil(isKnown, () => lookDownOnce(from, limits, view, deps), view, deps);
}

async function lookDownOnce(
  from: number,
  limits: DownLimits,
  view: View,
  deps: ReplayDeps,
): Promise<DownLook> {
  const { found, below, top } = await collectDown(from, limits, view, deps);
  const holes = holesBetween([...(below ? [below] : []), ...found, ...markAbove(from, found, view)], view);
  const deleted = holes.findLast((hole) => !wasNeverWritten(hole, view, deps))?.offset ?? 0;
  const unwritten = holes.filter(({ offset }) => offset > deleted);
  return { found, isWhole: below !== undefined, top, deleted, unwritten };
}

async function collectDown(
  from: number,
  limits: DownLimits,
  view: View,
  deps: ReplayDeps,
): Promise<{
  readonly found: LogEntry[];
  readonly below: Mark | undefined;
  readonly top: number | undefined;
}> {
  const found: LogEntry[] = [];
  let top: number | undefined;
  let [messages, bytes] = [0, 0];
  for (let next = from; next > floorOf(view); ) {
    const entries = await deps.logs.read(view.log, { from: next, descending: true, limit: READ_MAX });
    top ??= entries[0]?.offset;
    for (const entry of entries) {
      const isWanted = entry.json === undefined || entry.atMs > limits.sinceMs;
      if (entry.offset <= floorOf(view) || !isWanted || !isKept(entry, view, deps)) {
        return { found, below: entry, top };
      }
      if (messages === limits.messages || bytes >= limits.bytes) return { found, below: undefined, top };
      found.unshift(entry);
      messages += entry.json === undefined ? 0 : 1;
      bytes += entry.json?.length ?? 0;
      next = entry.offset - 1;
    }
    if (entries.length === 0) break;
  }
  return { found, below: startOf(view, floorOf(view)), top };
}

/** In place of an entry that is not there: nothing above it is older than the newest entry below. */
async function markBelow(offset: number, view: View, { logs }: ReplayDeps): Promise<Mark> {
  const [below] = offset > 0 ? await logs.read(view.log, { from: offset, descending: true, limit: 1 }) : [];
  return below ? { offset, atMs: below.atMs } : startOf(view, offset);
}

/** Where entries from `from` downwards end above. At the end of the log that is the newest, if there is one. */
function markAbove(from: number, found: readonly LogEntry[], view: View): Mark[] {
  if (from < view.head.offset) return [{ offset: from + 1, atMs: -Infinity }];
  return found.length > 0 ? [] : [endOf(view)];
}

/** The highest offset whose entry is too old. Entries age in the order of their offsets, so a binary search finds it. */
async function newestTooOld(view: View, deps: ReplayDeps): Promise<number> {
  let [low, high] = [floorOf(view) + 1, view.head.offset];
  for (let probe = low; low <= high; probe = Math.floor((low + high) / 2)) {
    const [entry] = await deps.logs.read(view.log, { from: probe, limit: 1 });
    if (!entry || isYoung(entry, view, deps)) high = probe - 1;
    else low = entry.offset + 1;
  }
  return low - 1;
}

/** Up to this offset nothing is kept, because `history.messages` newer ones have been allocated. */
const floorOf = ({ head, namespace }: View): number => Math.max(0, head.offset - namespace.history.messages);
const isYoung = ({ atMs }: LogEntry, { namespace }: View, { now }: ReplayDeps): boolean =>
  atMs + namespace.history.seconds * 1000 > now();
/** Tombstones do not expire. */
const isKept = (entry: LogEntry, view: View, deps: ReplayDeps): boolean =>
  entry.json === undefined || isYoung(entry, view, deps);

const inOrder = (entries: readonly LogEntry[]): LogEntry[] => entries.toSorted((a, b) => a.offset - b.offset);

/** So many messages at the end, and what is between them. */
function newestOf(entries: readonly LogEntry[], messages: number): LogEntry[] {
  const kept: LogEntry[] = [];
  for (const entry of entries.toReversed()) {
    if (entry.json !== undefined && messages-- === 0) break;
    kept.unshift(entry);
  }
  return kept;
}

/** As many of the first entries as fit a page: at least one. */
function fitting(entries: readonly LogEntry[]): LogEntry[] {
  let bytes = 0;
  const end = entries.findIndex(({ json = '' }, index) => {
    bytes += Buffer.byteLength(json);
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return end < 0 ? [...entries] : entries.slice(0, end);
}

/** What this connection gets of them: neither tombstones, nor what leaves it out, nor what is too late. */
export const messagesFor = (
  entries: readonly LogEntry[],
  { connectionId }: View,
  { now }: ReplayDeps,
): string[] =>
  entries.flatMap(({ json, except = [], expiresAtMs = Infinity }) =>
    json === undefined || except.includes(connectionId) || expiresAtMs <= now() ? [] : json,
  );
