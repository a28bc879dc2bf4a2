import { mapAll } from '../../shared/async.ts';
import type { Connections } from '../../shared/data/connections.ts';
import type { Shard, Shards } from '../../shared/data/shards.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import { patternOf } from '../../shared/protocol/topic.ts';

export interface ResolveDeps {
  readonly connections: Pick<Connections, 'ofUser' | 'all'>;
  readonly subscriptions: Pick<Subscriptions, 'subscribers'>;
  readonly shards: Pick<Shards, 'covering' | 'grow'>;
  /** A shard with more subscribers no longer fits comfortably. */
  readonly shardSubscribersMax: number;
}

/** Connections, and the shard that they were found in. */
export interface Slice {
  readonly shard?: Shard;
  readonly connectionIds: readonly string[];
}

const SHARDS_IN_FLIGHT_MAX = 16;
/** Every message to a topic reads all of its shards. */
const SHARDS_MAX = 256;

/** The connections that a message is for: each once, however many of its subscriptions cover the topic. */
export async function resolve(target: Target, deps: ResolveDeps): Promise<Slice[]> {
  const { connections } = deps;
  if ('connectionId' in target) return [{ connectionIds: [target.connectionId] }];
  if ('userId' in target) return [{ connectionIds: await all(connections.ofUser(target.userId)) }];
  if ('everyone' in target) return [{ connectionIds: await all(connections.all()) }];
  // A topic with subscribers has a first shard, nearly always no other: it is read while the topic is looked up.
  const first: Shard = { pattern: patternOf(target.topic), shard: 0 };
  const early = readShard(first, deps);
  early.catch(() => {}); // it fails whoever asks for it below; if nobody does, it is of no interest
  const shards = await deps.shards.covering(target.topic);
  const isFirst = ({ pattern, shard }: Shard) => pattern === first.pattern && shard === first.shard;
  const slices = await mapAll(shards, SHARDS_IN_FLIGHT_MAX, (shard) =>
    isFirst(shard) ? early : readShard(shard, deps),
  );
  await growIfFull(slices, deps);
  return distinct(slices);
}

const readShard = async (shard: Shard, { subscriptions }: ResolveDeps): Promise<Required<Slice>> => ({
  shard,
  connectionIds: await all(subscriptions.subscribers(shard)),
});

/** Once a shard is too full there will be so many that all subscribers of today would fill them half. */
async function growIfFull(
  slices: readonly Required<Slice>[],
  { shards, shardSubscribersMax }: ResolveDeps,
): Promise<void> {
  for (const [pattern, ofPattern] of Map.groupBy(slices, ({ shard }) => shard.pattern)) {
    const sizes = ofPattern.map(({ connectionIds }) => connectionIds.length);
    if (Math.max(...sizes) <= shardSubscribersMax) continue;
    const subscribers = sizes.reduce((sum, size) => sum + size, 0);
    const count = Math.min(SHARDS_MAX, Math.ceil((2 * subscribers) / shardSubscribersMax));
    if (count > sizes.length) await shards.grow(pattern, count);
  }
}

/** A connection that is found in several shards, of one pattern or another, stays in the first. */
function distinct(slices: readonly Slice[]): Slice[] {
  if (slices.length <= 1) return [...slices];
  const seen = new Set<string>();
  const isNew = (id: string) => seen.size !== seen.add(id).size;
  return slices.map((slice) => ({ ...slice, connectionIds: slice.connectionIds.filter(isNew) }));
}

async function all(pages: AsyncIterable<string[]>): Promise<string[]> {
  const found: string[] = [];
  for await (const page of pages) for (const id of page) found.push(id);
  return found;
}
