import type { Access, Authenticate } from '../../shared/auth/access.ts';
import { contextOf } from '../../shared/auth/context.ts';
import { Fault, FORBIDDEN, KeysUnavailableError, TokenError } from '../../shared/auth/errors.ts';
import { TICKET_SECONDS } from '../../shared/auth/ticket.ts';
import { tokenOf } from '../../shared/auth/token.ts';
import type { Revocations } from '../../shared/data/revocations.ts';
import type { Tickets } from '../../shared/data/tickets.ts';
import type { HttpEvent } from '../../shared/lambda/events.ts';
import type { HttpReply } from '../../shared/lambda/http-route.ts';
import type { CommandLimits } from '../../shared/limits/limits.ts';
import { ClientError, ErrorCode } from '../../shared/protocol/errors.ts';

export interface IssueDeps {
  readonly authenticate: Authenticate;
  readonly limits: Pick<CommandLimits<never>, 'take'>;
  readonly revocations: Pick<Revocations, 'isRevoked'>;
  readonly tickets: Pick<Tickets, 'put'>;
  readonly newTicket: () => string;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Exchanges a token for a ticket, which opens one connection in place of the token. */
export async function issue(event: HttpEvent, deps: IssueDeps): Promise<HttpReply> {
  try {
    return await issueFor(await deps.authenticate(tokenIn(event)), deps);
  } catch (error) {
    // Said in the log where it was found out.
    if (error instanceof KeysUnavailableError) return UNAVAILABLE;
    if (error instanceof TokenError) return refused(error.fault);
    if (error instanceof ClientError && error.code === ErrorCode.rateLimited) {
      return { code: ErrorCode.rateLimited, message: error.message, retryAfterMs: error.retryAfterMs };
    }
    throw error;
  }
}

async function issueFor(access: Access, deps: IssueDeps): Promise<HttpReply> {
  const { limits, revocations, tickets, newTicket, now } = deps;
  // As a command of its user's connections. It comes on none.
  await limits.take({ connectionId: '', bearer: access }, { commands: 1 });
  contextOf(access); // what would be too much then is so now
  const nowSeconds = Math.floor(now() / 1000);
  // No ticket outlives its token.
  const expiresAt = Math.min(nowSeconds + TICKET_SECONDS, access.expiresAt);
  if (expiresAt <= nowSeconds) throw new TokenError(Fault.expired);
  if (await revocations.isRevoked({ ...access, issuedAtMs: access.issuedAt * 1000 })) return REVOKED;
  const ticket = newTicket();
  await tickets.put(ticket, JSON.stringify(access), expiresAt);
  return { status: 201, body: { ticket, expiresIn: expiresAt - nowSeconds } };
}

/** In the header alone, where no log and no other page looks for it. */
function tokenIn({ headers, queryStringParameters = {} }: HttpEvent): string {
  const { authorization } = headers;
  const { token: inQuery } = queryStringParameters;
  const token = tokenOf(
    {
      ...(authorization !== undefined && { multiValueHeaders: { authorization: [authorization] } }),
      ...(inQuery !== undefined && { multiValueQueryStringParameters: { token: [inQuery] } }),
    },
    { queryToken: false },
  );
  if (token === undefined) throw new TokenError(Fault.none);
  return token;
}

const UNAVAILABLE: HttpReply = {
  code: ErrorCode.unavailable,
  message: 'expected keys to verify the token with, got none; send it again',
};

/** The same as a command is answered with that hands it over. */
const REVOKED: HttpReply = {
  code: ErrorCode.forbidden,
  message: 'expected a token that is good, got a revoked one',
  reason: 'revoked',
};

/** What is wrong with a token its bearer is not told, but for what another token, or none, would help against. */
function refused(reason: Fault): HttpReply {
  if (FORBIDDEN.includes(reason)) {
    return { code: ErrorCode.forbidden, message: 'expected a token that lets a user connect', reason };
  }
  if (reason === Fault.expired) {
    return { code: ErrorCode.expired, message: 'expected a token that has not ended', reason };
  }
  return {
    code: ErrorCode.unauthenticated,
    message: 'expected a valid token as Authorization: Bearer',
    reason,
  };
}
