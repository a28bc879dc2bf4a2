import type { Connections } from '../../shared/connections.ts';
import { mapLimit } from '../../shared/map-limit.ts';
import type { Target } from '../../shared/publication.ts';
import type { Subscriptions } from '../../shared/subscriptions.ts';
import type { Topics } from '../../shared/topics.ts';

export interface ResolveDeps {
  readonly connections: Pick<Connections, 'ofUser' | 'all'>;
  readonly subscriptions: Pick<Subscriptions, 'subscribers'>;
  readonly topics: Pick<Topics, 'shardsCovering'>;
}

const SHARDS_IN_FLIGHT_MAX = 8;

/** The connections that a message is for: each once, however many of its subscriptions cover the topic. */
export async function resolve(
  target: Target,
  { connections, subscriptions, topics }: ResolveDeps,
): Promise<string[]> {
  if ('connectionId' in target) return [target.connectionId];
  const found = new Set<string>();
  const collect = async (pages: AsyncIterable<string[]>) => {
    for await (const page of pages) for (const connectionId of page) found.add(connectionId);
  };
  if ('userId' in target) await collect(connections.ofUser(target.userId));
  else if ('everyone' in target) await collect(connections.all());
  else {
    const shards = await topics.shardsCovering(target.topic);
    const reads = await mapLimit(shards, SHARDS_IN_FLIGHT_MAX, (shard) =>
      collect(subscriptions.subscribers(shard)),
    );
    const failed = reads.find((read) => read.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return [...found];
}
