import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';
import type { DisconnectEvent } from '../../shared/lambda/events.ts';

/** `$disconnect` is best effort: what it misses, 410s and the sweep clean up. */
export async function disconnect(
  { requestContext }: DisconnectEvent,
  deps: RowDeps,
): Promise<Record<string, never>> {
  await forgetConnection(requestContext.connectionId, deps);
  return {};
}
