import { once } from '../async.ts';
import type { Revocations } from '../data/revocations.ts';
import type { Bearer } from '../lambda/bearer.ts';
import { logger } from '../lambda/logger.ts';
import { ClientError, ErrorCode } from '../protocol/errors.ts';
import type { Access, Authenticate } from './access.ts';
import { contextOf } from './context.ts';
import { Fault, FORBIDDEN, KeysUnavailableError, TokenError } from './errors.ts';
import type { Caller } from './guard.ts';

/** What a token says that a connection has handed over. */
export type OwnToken = Required<Bearer>;
/** Takes a token that comes with a command. Throws a `ClientError` if it is not good, or not of the connection's user. */
export type TakeToken = (what: 'token' | 'grant', token: string, caller: Caller) => Promise<OwnToken>;

/** Makes what takes grants, when the first one comes. */
export interface GrantClients {
  readonly takeGrant: () => Promise<TakeToken>;
}
export function takeLate(make: GrantClients['takeGrant']): TakeToken {
  const made = once(make);
  return async (...args) => (await made())(...args);
}

export const createTakeToken =
  (authenticate: Authenticate, revocations: Pick<Revocations, 'isRevoked'>): TakeToken =>
  async (what, token, { bearer }) => {
    // Or whatever its subscribers, keys and limits were until now would be another's.
    if (bearer?.userId === undefined) {
      throw forbidden(`expected a ${what} on a connection of a user, got one without; open a new connection`);
    }
    const own = toOwn(await verified(what, token, authenticate));
    if (own.userId !== bearer.userId) {
      throw forbidden(`expected a ${what} of the connection's user, got another's; open a new connection`);
    }
    if (await revocations.isRevoked(own))
      throw forbidden(`expected a ${what} that is good, got a revoked one`);
    return own;
  };

async function verified(what: string, token: string, authenticate: Authenticate): Promise<Access> {
  try {
    const access = await authenticate(token);
    contextOf(access); // of no use if it is too large for those that come with the next connection
    return access;
  } catch (error) {
    throw toClientError(what, error);
  }
}

/** The client learns what it is to do about it, and the log what is wrong. */
function toClientError(what: string, error: unknown): unknown {
  if (error instanceof KeysUnavailableError) {
    const message = `expected keys to verify the ${what} with, got none for now; send it again`;
    return new ClientError(ErrorCode.unavailable, message);
  }
  if (!(error instanceof TokenError)) return error;
  logger.warn(`${what} refused: ${error.fault}`, { reason: error.fault });
  if (error.fault === Fault.expired) {
    return new ClientError(ErrorCode.expired, `expected a ${what} that has not ended, got one that has`);
  }
  return FORBIDDEN.includes(error.fault)
    ? forbidden(`expected a ${what} that may be used here, got one that may not`)
    : new ClientError(ErrorCode.unauthenticated, `expected a valid ${what}, got one that is not`);
}

const forbidden = (message: string): ClientError => new ClientError(ErrorCode.forbidden, message);

const toOwn = ({ userId, rights, expiresAt, issuedAt, tokenId }: Access): OwnToken => ({
  ...{ userId, rights, tokenId },
  expiresAtMs: expiresAt * 1000,
  issuedAtMs: issuedAt * 1000,
});
