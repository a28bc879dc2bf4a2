import type { Connections } from '../../shared/connections.ts';
import { mapLimit } from '../../shared/map-limit.ts';
import type { Target } from '../../shared/publication.ts';
import type { Shard, Subscriptions } from '../../shared/subscriptions.ts';
import type { Topics } from '../../shared/topics.ts';

export interface ResolveDeps {
  readonly connections: Pick<Connections, 'ofUser' | 'all'>;
  readonly subscriptions: Pick<Subscriptions, 'subscribers'>;
  readonly topics: Pick<Topics, 'shardsCovering' | 'grow'>;
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
  const { connections, topics } = deps;
  if ('connectionId' in target) return [{ connectionIds: [target.connectionId] }];
  if ('userId' in target) return [{ connectionIds: await all(connections.ofUser(target.userId)) }];
  if ('everyone' in target) return [{ connectionIds: await all(connections.all()) }];
  const shards = await topics.shardsCovering(target.topic);
  const slices = await readShards(shards, deps);
  await growIfFull(slices, deps);
  return distinct(slices);
}

async function readShards(
  shards: readonly Shard[],
  { subscriptions }: ResolveDeps,
): Promise<Required<Slice>[]> {
  const reads = await mapLimit(shards, SHARDS_IN_FLIGHT_MAX, async (shard) => ({
    shard,
    connectionIds: await all(subscriptions.subscribers(shard)),
  }));
  return reads.map((read) => {
    if (read.status === 'rejected') throw read.reason;
    return read.value;
  });
}

/** Once a shard is too full there will be so many that all subscribers of today would fill them half. */
async function growIfFull(
  slices: readonly Required<Slice>[],
  { topics, shardSubscribersMax }: ResolveDeps,
): Promise<void> {
  for (const [pattern, ofPattern] of Map.groupBy(slices, ({ shard }) => shard.pattern)) {
    const sizes = ofPattern.map(({ connectionIds }) => connectionIds.length);
    if (Math.max(...sizes) <= shardSubscribersMax) continue;
    const subscribers = sizes.reduce((sum, size) => sum + size, 0);
    const shards = Math.min(SHARDS_MAX, Math.ceil((2 * subscribers) / shardSubscribersMax));
    if (shards > sizes.length) await topics.grow(pattern, shards);
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
