import type { Logs } from '../log.ts';
import type { OwnOffset } from './decide.ts';
import type { Draft } from './draft.ts';
import { allocateVersion, type VersionDeps } from './version.ts';

/** What allocating needs. */
export interface PlaceDeps extends VersionDeps {
  readonly logs: VersionDeps['logs'] & Pick<Logs, 'allocate'>;
}

/** What a draft gets; nothing but `stale` if the topic has had a newer version. */
export type Allocated = OwnOffset | 'stale';

/**
 * Places in the order of the drafts: a range, or one by one if there are versions, because each can be refused. One that
 * has the version of another before it gets none, until it is known whether that is stored.
 */
export async function allocateAll<D extends Draft>(
  drafts: readonly D[],
  deps: PlaceDeps,
): Promise<Map<D, Allocated> | 'replaced'> {
  if (drafts.length === 0) return new Map();
  if (drafts.every(({ version }) => version === undefined)) return allocateRange(drafts, deps);
  const places = new Map<D, Allocated>();
  const versions = new Set<number>();
  for (const draft of drafts) {
    const { version } = draft;
    if (version !== undefined && versions.has(version)) continue;
    const place = await allocate(draft, deps);
    if (place === 'replaced') return place;
    places.set(draft, place);
    if (version !== undefined) versions.add(version);
  }
  return places;
}

async function allocateRange<D extends Draft>(
  drafts: readonly D[],
  { log, logs, now }: PlaceDeps,
): Promise<Map<D, OwnOffset> | 'replaced'> {
  const atMs = now();
  const allocation = await logs.allocate(log, drafts.length);
  if (!allocation) return 'replaced';
  const { first, previousAtMs } = allocation;
  return new Map(
    drafts.map((draft, index) => [
      draft,
      { offset: first + index, atMs, previousAtMs: index === 0 ? previousAtMs : atMs },
    ]),
  );
}

/** A place for one draft, unless the log is not the topic's any more. */
export async function allocate(draft: Draft, deps: PlaceDeps): Promise<Allocated | 'replaced'> {
  const { version } = draft;
  if (version !== undefined) return allocateVersion({ ...draft, version }, deps);
  const { log, logs, now } = deps;
  const atMs = now();
  const allocation = await logs.allocate(log, 1);
  return allocation ? { offset: allocation.first, atMs, previousAtMs: allocation.previousAtMs } : 'replaced';
}
