import { ClientError } from '../protocol/errors.ts';
import { isRecord } from '../protocol/json.ts';
import { fillRights, mergeRights, parseRights, type Rights } from '../protocol/rights.ts';
import { Fault, TokenError } from './errors.ts';
import { createGrants, GRANT_ISSUER, type GrantDeps } from './grants.ts';
import { createIdentities } from './identity.ts';
import type { WebDeps } from './jwks.ts';
import { type Claims, type Jwt, parseJwt, tokenIdOf } from './jwt.ts';
import type { CompleteAuth } from './settings.ts';
import { createSubjects } from './subject.ts';
import { userIdOf } from './user.ts';

/** Who a token says that its bearer is, and what that one may do. */
export interface Access {
  readonly userId: string;
  readonly rights: Rights;
  /** Epoch seconds, when the token ends. */
  readonly expiresAt: number;
  /** Epoch seconds. */
  readonly issuedAt: number;
  readonly tokenId: string;
}
export interface AccessDeps extends WebDeps, GrantDeps {}

/** Verifies a token of any kind that the settings take. Throws a `TokenError`, or `KeysUnavailableError`. */
export type Authenticate = (token: string) => Promise<Access>;

export function createAuthenticate(
  { issuers, grants, rights }: CompleteAuth,
  deps: AccessDeps,
): Authenticate {
  const verifyIdentity = createIdentities(issuers, deps);
  const withSubject = createSubjects(issuers);
  const verifyGrant = grants ? createGrants(deps) : refuseGrants;
  const writesRights = new Set<unknown>(
    issuers.filter(({ rightsClaim }) => rightsClaim).map(({ issuer }) => issuer),
  );
  return async (token) => {
    const jwt = parseJwt(token);
    const isGrant = jwt.issuer === GRANT_ISSUER;
    const claims = isGrant ? await verifyGrant(jwt) : withSubject(await verifyIdentity(jwt), jwt.issuer);
    const own = isGrant || writesRights.has(jwt.issuer) ? rightsIn(claims) : {};
    return {
      userId: userIdIn(claims),
      rights: mergeRights(fillRights(rights, claims), own),
      expiresAt: claims.exp,
      issuedAt: claims.iat,
      tokenId: tokenIdOf(jwt, claims),
    };
  };
}

const refuseGrants = async (_: Jwt): Promise<Claims> => {
  throw new TokenError(Fault.issuer);
};

const userIdIn = ({ sub }: Claims): string => read(() => userIdOf(sub), Fault.userId);

function rightsIn({ fanwire = {} }: Claims): Rights {
  const { rights = {} } = isRecord(fanwire) ? fanwire : { rights: fanwire };
  return read(() => parseRights(rights, 'rights'), Fault.rights);
}

/** What is wrong with a claim would tell what is in it, so only the fault is told. */
function read<T>(parse: () => T, fault: Fault): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof ClientError ? new TokenError(fault) : error;
  }
}
