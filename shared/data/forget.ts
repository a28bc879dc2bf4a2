import type { Connections } from './connections.ts';
import type { Shard } from './shards.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Deletes the rows of a connection that answered 410, and those that it may have in `shards`. */
export type Forget = (connectionId: string, shards: readonly Shard[]) => Promise<void>;

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

/** Deletes every row of a connection that answered 410, on a message to subscribers in `shards`. */
export const createForget =
  (deps: RowDeps & { readonly now: () => number }): Forget =>
  async (connectionId, shards) => {
    if (await forgetConnection(connectionId, deps, deps.now())) return;
    // A subscription written while its connection was being cleaned up is on no list: it is where the post found it.
    await deps.subscriptions.delete(shards.map((shard) => ({ ...shard, connectionId })));
  };
