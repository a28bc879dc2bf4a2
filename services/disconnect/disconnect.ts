import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';
import type { DisconnectEvent } from '../../shared/lambda/events.ts';

/** `$disconnect` is best effort: what it misses, 410s and the sweep clean up. */
export async function disconnect({ requestContext }: DisconnectEvent, deps: RowDeps): Promise<void> {
  await forgetConnection(requestContext.connectionId, deps);
}
