import { PROTOCOL_HEADER, protocolsOf, SUBPROTOCOL } from '../../shared/auth/token.ts';
import type { Connections } from '../../shared/data/connections.ts';
import type { Revocations } from '../../shared/data/revocations.ts';
import { type Bearer, bearerOf, endsAtMs } from '../../shared/lambda/bearer.ts';
import type { Authorization } from '../../shared/lambda/config.ts';
import type { ConnectEvent, RouteResult } from '../../shared/lambda/events.ts';
import type { Places } from '../../shared/limits/places.ts';
import { ClientError, ErrorCode } from '../../shared/protocol/errors.ts';
import type { CompleteLimits } from '../../shared/protocol/limits.ts';
import { parseUserId } from '../../shared/protocol/parse.ts';
import { type Closings, LOOK_AHEAD_MS } from '../../shared/queues/closings.ts';

export interface ConnectDeps {
  readonly connections: Pick<Connections, 'open' | 'close'>;
  readonly authorization: Authorization;
  readonly revocations: Pick<Revocations, 'isRevoked'>;
  readonly closings: Pick<Closings, 'closeAt'>;
  readonly admissions: Places;
  readonly placesMax: Pick<CompleteLimits, 'connections' | 'connectionsPerUser'>;
  readonly now: () => number;
}

/** Notes a connection, if there is a place for it. */
export async function connect(event: ConnectEvent, deps: ConnectDeps): Promise<void> {
  const { admissions, connections, authorization, placesMax } = deps;
  if (!(await admissions.enter())) throw tooMany(`${placesMax.connections} connections`);
  try {
    await note(event, deps);
  } catch (error) {
    const { connectionId, authorizer = {} } = event.requestContext;
    // Where nobody is asked, nothing but the noting itself can have failed.
    if (authorization === 'required') await connections.close(connectionId);
    await admissions.leave({ connectionId, userId: bearerOf(authorizer).userId });
    throw error;
  }
}

const tooMany = (what: string): ClientError =>
  new ClientError(ErrorCode.limitExceeded, `expected at most ${what}, got one more`);

async function note(event: ConnectEvent, deps: ConnectDeps): Promise<void> {
  const { connections, authorization } = deps;
  const { connectionId, connectedAt: connectedAtMs } = event.requestContext;
  if (authorization === 'none') {
    return connections.open({ connectionId, connectedAtMs, ...claimed(event) });
  }
  const { rights: _, expiresAtMs, ...token } = verified(event);
  const tokenEndsAtMs = endsAtMs({ expiresAtMs });
  await connections.open({ connectionId, connectedAtMs, tokenEndsAtMs, ...token });
  const { userId } = token;
  await expectPlace(connectionId, userId, deps);
  if (userId !== undefined) await expectUnrevoked(connectionId, { ...token, userId }, deps);
  if (tokenEndsAtMs < deps.now() + LOOK_AHEAD_MS) await deps.closings.closeAt(connectionId, tokenEndsAtMs);
}

/** Only of a connection that is noted: one that is not is taken for closed, and its place for free. */
async function expectPlace(
  connectionId: string,
  userId: string | undefined,
  { admissions, placesMax }: ConnectDeps,
): Promise<void> {
  if (await admissions.join({ connectionId, userId })) return;
  throw tooMany(`${placesMax.connectionsPerUser} connections of a user`);
}

/**
 * Whoever revokes a token writes that down before looking for connections, and this looks after the connection is noted:
 * one of both finds the other.
 */
async function expectUnrevoked(
  connectionId: string,
  token: Parameters<Revocations['isRevoked']>[0],
  { connections, revocations }: ConnectDeps,
): Promise<void> {
  if (!(await revocations.isRevoked(token))) return;
  await connections.close(connectionId);
  throw new ClientError(ErrorCode.unauthenticated, 'expected a good token, got one that was revoked');
}

function verified({ requestContext: { authorizer } }: ConnectEvent): Bearer {
  if (!authorizer) throw new Error('expected an authorizer to have let this connection in, got none');
  return bearerOf(authorizer);
}

/** `?userId=` is what a client says of itself: nobody is asked. */
function claimed({ queryStringParameters }: ConnectEvent): { readonly userId?: string } {
  const userId = queryStringParameters?.userId;
  return userId === undefined ? {} : { userId: parseUserId(userId) };
}

/** Whoever offers subprotocols, because its token is one of them, is answered with the other. */
export const protocolAnswer = (event: ConnectEvent): RouteResult['headers'] =>
  protocolsOf(event).includes(SUBPROTOCOL) ? { [PROTOCOL_HEADER]: SUBPROTOCOL } : undefined;
