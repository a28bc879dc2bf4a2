import type { Log, Logs } from '../log.ts';
import type { Draft } from './draft.ts';

/** What allocating needs. */
export interface PlaceDeps {
  readonly log: Log;
  readonly logs: Pick<Logs, 'allocate' | 'allocateVersion'>;
  readonly now: () => number;
}

/** An offset that is this worker's to decide. */
export interface OwnOffset {
  readonly offset: number;
  readonly atMs: number;
  /** When the offset below was allocated. */
  readonly previousAtMs: number;
}

/** What a draft gets; nothing but `stale` if the topic has had a newer version. */
export type Allocated = OwnOffset | 'stale';

/** Places in the order of the drafts: a range, or one by one if there are versions, because each can be refused. */
export async function allocateAll<D extends Draft>(
  drafts: readonly D[],
  deps: PlaceDeps,
): Promise<Map<D, Allocated> | 'replaced'> {
  if (drafts.length === 0) return new Map();
  if (drafts.every(({ version }) => version === undefined)) return allocateRange(drafts, deps);
  const places = new Map<D, Allocated>();
  for (const draft of drafts) {
    const place = await allocate(draft, deps);
    if (place === 'replaced') return place;
    places.set(draft, place);
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
export async function allocate(draft: Draft, { log, logs, now }: PlaceDeps): Promise<Allocated | 'replaced'> {
  const { version, resets, message, acceptedAtMs } = draft;
  const atMs = now();
  const allocation =
    version === undefined
      ? await logs.allocate(log, 1)
      : await logs.allocateVersion(log, { version, resets, messageId: message.messageId, acceptedAtMs });
  if (allocation === 'stale') return allocation;
  return allocation ? { offset: allocation.first, atMs, previousAtMs: allocation.previousAtMs } : 'replaced';
}
