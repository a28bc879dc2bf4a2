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

/** Notes a connection. */
export async function connect(
  event: ConnectEvent,
  { connections, authorization }: ConnectDeps,
): Promise<void> {
  const { connectionId, connectedAt } = event.requestContext;
  const owner = authorization === 'required' ? verified(event) : claimed(event);
  await connections.open({ connectionId, connectedAtMs: connectedAt, ...owner });
}

function verified({ requestContext: { authorizer } }: ConnectEvent): Owner {
  if (!authorizer) throw new Error('expected an authorizer to have let this connection in, got none');
  const { userId, ...bearer } = bearerOf(authorizer);
  return { tokenEndsAtMs: endsAtMs(bearer), ...(userId !== undefined && { userId }) };
}

/** `?userId=` is what a client says of itself: nobody is asked. */
function claimed({ queryStringParameters }: ConnectEvent): Owner {
  const userId = queryStringParameters?.userId;
  return userId === undefined ? {} : { userId: parseUserId(userId) };
}

/** Whoever offers subprotocols, because its token is one of them, is answered with the other. */
export const protocolAnswer = (event: ConnectEvent): RouteResult['headers'] =>
  protocolsOf(event).includes(SUBPROTOCOL) ? { [PROTOCOL_HEADER]: SUBPROTOCOL } : undefined;
