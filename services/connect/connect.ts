import { PROTOCOL_HEADER, protocolsOf, SUBPROTOCOL } from '../../shared/auth/token.ts';
import type { Connections } from '../../shared/data/connections.ts';
import { bearerOf, endsAtMs } from '../../shared/lambda/bearer.ts';
import type { Authorization } from '../../shared/lambda/config.ts';
import type { ConnectEvent, RouteResult } from '../../shared/lambda/events.ts';
import { parseUserId } from '../../shared/protocol/parse.ts';

export interface ConnectDeps {
  readonly connections: Pick<Connections, 'open'>;
  readonly authorization: Authorization;
}

/** Who a connection belongs to, and when it ends. */
type Owner = Pick<Parameters<Connections['open']>[0], 'userId' | 'tokenEndsAtMs'>;

/** Notes a connection. Whoever offers subprotocols, because its token is one of them, is answered with the other. */
export async function connect(
  event: ConnectEvent,
  { connections, authorization }: ConnectDeps,
): Promise<Pick<RouteResult, 'headers'>> {
  const { connectionId, connectedAt } = event.requestContext;
  const owner = authorization === 'required' ? verified(event) : claimed(event);
  await connections.open({ connectionId, connectedAtMs: connectedAt, ...owner });
  return protocolsOf(event).includes(SUBPROTOCOL) ? { headers: { [PROTOCOL_HEADER]: SUBPROTOCOL } } : {};
}

function verified({ requestContext: { authorizer } }: ConnectEvent): Owner {
  if (!authorizer) throw new Error('expected an authorizer to have let this connection in, got none');
  const { userId } = authorizer;
  const tokenEndsAtMs = endsAtMs(bearerOf(authorizer));
  return { tokenEndsAtMs, ...(typeof userId === 'string' && userId !== '' && { userId }) };
}

/** `?userId=` is what a client says of itself: nobody is asked. */
function claimed({ queryStringParameters }: ConnectEvent): Owner {
  const userId = queryStringParameters?.userId;
  return userId === undefined ? {} : { userId: parseUserId(userId) };
}
