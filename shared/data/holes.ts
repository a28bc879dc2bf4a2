import { mapAll } from '../async.ts';
import type { HistoryNamespace } from '../protocol/namespaces.ts';
import type { Head, Log, LogEntry, Logs } from './log.ts';

// Offsets that were allocated and have no entry: their writer is about to write it, or has died, or it has been deleted.

export interface LogView {
  readonly log: Log;
  /** Read before the log is, so that everything up to it has been allocated. */
  readonly head: Head;
  readonly namespace: HistoryNamespace;
}
export interface HoleDeps {
  readonly logs: Pick<Logs, 'entry' | 'write'>;
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

/** A writer claims and writes right after allocating, which takes DynamoDB some 10 ms, or 100; after these it has died. */
const SETTLE_WAITS_MS = [20, 40, 80, 160, 200];
/** A worker that allocated an offset longer ago than this and has not written it has most likely died, too. */
const SETTLED_AFTER_MS = 10_000;
const SETTLES_IN_FLIGHT_MAX = 16;
/** More than workers can have in flight. */
const HOLES_MAX = 1_000;
/**
 * An entry that has been too old for longer than this may have been deleted. It is much less than entries are kept
 * beyond their time, for clocks that differ and for workers of a version before, which kept them an hour.
 */
export const DELETED_AFTER_MS = 30 * 60_000;

/** An offset that is decided, or one end of a log: it says how old the offsets beside it can be. */
export type Mark = Pick<LogEntry, 'offset' | 'atMs' | 'previousAtMs'>;
/** An offset that is not there. It was allocated at `atMs` or later. */
export type Hole = Pick<LogEntry, 'offset' | 'atMs'>;

/** No offset is older than its log. */
export const startOf = ({ head }: LogView, offset: number): Mark => ({ offset, atMs: head.createdAtMs });

export const endOf = ({ head }: LogView): Mark => ({
  offset: head.offset + 1,
  atMs: head.allocatedAtMs,
  previousAtMs: head.allocatedAtMs,
});

/** In ascending order, as the marks are. */
export function holesBetween(marks: readonly Mark[], { head }: LogView): Hole[] {
  return marks.slice(1).flatMap((above, index) => {
    const below = marks[index] as Mark; // the one before
    const missing = Math.max(0, above.offset - below.offset - 1);
    // If so many are missing they have gone, and one is enough to say so.
    if (missing > HOLES_MAX) return [{ offset: above.offset - 1, atMs: -Infinity }];
    return Array.from({ length: missing }, (_, n) => {
      const offset = below.offset + 1 + n;
      const isNext = offset === above.offset - 1 && above.previousAtMs !== undefined;
      return {
        offset,
        atMs: Math.max(
          below.atMs,
          isNext ? Number(above.previousAtMs) : -Infinity,
          allocatedAt(offset, head),
        ),
      };
    });
  });
}

/** What the head knows of when an offset was allocated. */
function allocatedAt(offset: number, head: Head): number {
  if (offset > head.offset || offset < head.allocatedFrom - 1) return -Infinity;
  return offset < head.allocatedFrom ? head.previousAtMs : head.allocatedAtMs;
}

/** True if nothing was ever written here: an entry this young has not been deleted yet. */
export const wasNeverWritten = ({ atMs }: Hole, { namespace }: LogView, { now }: HoleDeps): boolean =>
  atMs + namespace.history.seconds * 1000 + DELETED_AFTER_MS > now();

/** True if every offset was allocated so long ago that no worker will write it any more. */
export const isSettled = ({ head }: LogView, { now }: HoleDeps): boolean =>
  head.allocatedAtMs + SETTLED_AFTER_MS <= now();

/** Finds out what became of holes, or decides that they are tombstones. */
export const settleAll = (holes: readonly Hole[], view: LogView, deps: HoleDeps): Promise<LogEntry[]> =>
  mapAll(holes, SETTLES_IN_FLIGHT_MAX, (hole) => settle(hole, view, deps));

async function settle(hole: Hole, view: LogView, { logs, now, wait }: HoleDeps): Promise<LogEntry> {
  const { log, namespace } = view;
  for (const ms of isSettled(view, { logs, now, wait }) ? [] : SETTLE_WAITS_MS) {
    await wait(ms);
    const entry = await logs.entry(log, hole.offset);
    if (entry) return entry;
  }
  // Dated as early as it can be: with a later date, holes above it would look too young to have been deleted.
  if (await logs.write(log, hole, namespace.history.seconds)) return hole;
  const entry = await logs.entry(log, hole.offset);
  if (!entry) throw new Error(`expected offset ${hole.offset} of ${log.topic} to be decided, got nothing`);
  return entry;
}

/**
 * Reads again in a moment what cannot be judged yet: of what was allocated just now and is not written it may not be known
 * that it was, and not deleted long ago.
 */
export async function lookUntil<T>(
  isKnown: (look: T) => boolean,
  read: () => Promise<T>,
  view: LogView,
  deps: HoleDeps,
): Promise<T> {
  let look = await read();
  for (const waitMs of SETTLE_WAITS_MS) {
    if (isKnown(look) || isSettled(view, deps)) break;
    await deps.wait(waitMs);
    look = await read();
  }
  return look;
}
