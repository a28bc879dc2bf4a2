import type { Connections } from './connections.ts';
import type { Forget } from './delivery/run.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Topics } from './topics.ts';

export interface RowDeps {
  readonly connections: Pick<Connections, 'close'>;
  readonly subscriptions: Pick<Subscriptions, 'delete'>;
}

/** Deletes a connection's item and every subscription that it lists; see `Connections.close` for `goneAtMs`. */
export async function forgetConnection(
  connectionId: string,
  { connections, subscriptions }: RowDeps,
  goneAtMs?: number,
): Promise<boolean> {
  const rows = await connections.close(connectionId, goneAtMs);
  if (rows) await subscriptions.delete(rows);
  return rows !== undefined;
}

export interface ForgetDeps extends RowDeps {
  readonly topics: Pick<Topics, 'shardsCovering'>;
  readonly now: () => number;
}

/** Deletes every row of a connection that answered 410, on a message to `topic` if it was one. */
export const createForget =
  (deps: ForgetDeps): Forget =>
  async (connectionId, topic) => {
    if ((await forgetConnection(connectionId, deps, deps.now())) || !topic) return;
    // A subscription written while its connection was being cleaned up is on no list: it is where the post found it.
    const shards = await deps.topics.shardsCovering(topic);
    await deps.subscriptions.delete(shards.map((shard) => ({ ...shard, connectionId })));
  };
