import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';
import { bearerOf } from '../../shared/lambda/bearer.ts';
import type { DisconnectEvent } from '../../shared/lambda/events.ts';
import type { Places } from '../../shared/limits/places.ts';

export interface DisconnectDeps extends RowDeps {
  readonly admissions: Pick<Places, 'leave'>;
}

/** `$disconnect` is best effort: what it misses, 410s and the sweep clean up. */
export async function disconnect({ requestContext }: DisconnectEvent, deps: DisconnectDeps): Promise<void> {
  const { connectionId, authorizer = {} } = requestContext;
  await forgetConnection(connectionId, deps);
  await deps.admissions.leave({ connectionId, userId: bearerOf(authorizer).userId });
}
