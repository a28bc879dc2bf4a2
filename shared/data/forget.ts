import type { Connections } from './connections.ts';
import type { Shard } from './shards.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Deletes everything of a connection that answered 410, including subscriptions that it does not list in `shards`. */
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

/** Forgets connections that answered 410 to a message for the subscribers in `shards`. */
export const createForget =
  (deps: RowDeps & { readonly now: () => number }): Forget =>
  async (connectionId, shards) => {
    if (await forgetConnection(connectionId, deps, deps.now())) return;
    // A subscription written while its connection was being cleaned up is on no list, but in the shard that was read.
    await deps.subscriptions.delete(shards.map((shard) => ({ ...shard, connectionId })));
  };
