import { mapAll } from '../../shared/async.ts';
import type { Connections } from '../../shared/data/connections.ts';
import { SHARDS_IN_FLIGHT_MAX, SHARDS_MAX, type Shard, type Shards } from '../../shared/data/shards.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import { type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import { patternOf, type Topic } from '../../shared/protocol/topic.ts';

/** What resolving a target needs. */
export interface ResolveDeps {
  readonly connections: Pick<Connections, 'ofUser' | 'all'>;
  readonly subscriptions: Pick<Subscriptions, 'subscribers'>;
  readonly shards: Pick<Shards, 'covering' | 'grow'>;
  readonly namespaces: Namespaces;
  /** Once a shard has more subscribers, its topic grows. */
  readonly shardSubscribersMax: number;
}

/** The subscribers that were found in one shard; those of a target that is no topic were found in none. */
export interface ShardSubscribers {
  readonly shard?: Shard;
  readonly connectionIds: readonly string[];
}

/** Finds the connections that a target means: each once, however many of its subscriptions cover the topic. */
export async function resolve(target: Target, deps: ResolveDeps): Promise<ShardSubscribers[]> {
  const { connections } = deps;
  if ('connectionId' in target) return [{ connectionIds: [target.connectionId] }];
  if ('userId' in target) return [{ connectionIds: await all(connections.ofUser(target.userId)) }];
  if ('everyone' in target) return [{ connectionIds: await all(connections.all()) }];
  return subscribersOf(target.topic, deps);
}

async function subscribersOf(topic: Topic, deps: ResolveDeps): Promise<ShardSubscribers[]> {
  // A topic with subscribers has a first shard, nearly always no other: it is read while the topic is looked up.
  const first: Shard = { pattern: patternOf(topic), shard: 0 };
  const early = readShard(first, deps);
  // A failure is thrown where the read is awaited below; if the topic has no such shard, it does not matter.
  early.catch(() => {});
  const shards = await deps.shards.covering(topic, namespaceOf(topic, deps.namespaces).wildcards);
  const isFirst = ({ pattern, shard }: Shard) => pattern === first.pattern && shard === first.shard;
  const found = await mapAll(shards, SHARDS_IN_FLIGHT_MAX, (shard) =>
    isFirst(shard) ? early : readShard(shard, deps),
  );
  await growIfFull(found, deps);
  return distinct(found);
}

const readShard = async (
  shard: Shard,
  { subscriptions }: ResolveDeps,
): Promise<Required<ShardSubscribers>> => ({
  shard,
  connectionIds: await all(subscriptions.subscribers(shard)),
});

/** Once one shard is too full, a topic gets so many that today's subscribers, spread evenly, would fill them half. */
async function growIfFull(
  found: readonly Required<ShardSubscribers>[],
  { shards, shardSubscribersMax }: ResolveDeps,
): Promise<void> {
  for (const [pattern, ofPattern] of Map.groupBy(found, ({ shard }) => shard.pattern)) {
    const sizes = ofPattern.map(({ connectionIds }) => connectionIds.length);
    if (Math.max(...sizes) <= shardSubscribersMax) continue;
    const subscribers = sizes.reduce((sum, size) => sum + size, 0);
    const count = Math.min(SHARDS_MAX, Math.ceil((2 * subscribers) / shardSubscribersMax));
    if (count > sizes.length) await shards.grow(pattern, count);
  }
}

/** A connection found in several shards is kept in the first of them. */
function distinct(found: readonly ShardSubscribers[]): ShardSubscribers[] {
  if (found.length <= 1) return [...found];
  const seen = new Set<string>();
  const isNew = (id: string) => seen.size !== seen.add(id).size;
  return found.map((each) => ({ ...each, connectionIds: each.connectionIds.filter(isNew) }));
}

async function all(pages: AsyncIterable<string[]>): Promise<string[]> {
  const found: string[] = [];
  for await (const page of pages) for (const id of page) found.push(id);
  return found;
}
