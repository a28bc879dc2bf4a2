import { createHash, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { TOKEN_LENGTH_MAX } from '../protocol/frames.ts';
import { type Operation, parseRights, type Rights } from '../protocol/rights.ts';
import { Fault, TokenError } from './errors.ts';
import { type Claims, type Jwt, verifyJwt } from './jwt.ts';
import { createRenewed, type RenewedDeps } from './renewed.ts';
import { userIdOf } from './user.ts';

/** The issuer of every grant. Those of identity tokens are URLs, so none has this name. */
export const GRANT_ISSUER = 'fanwire';
const ALGORITHM = 'HS256';
/** Says at once that it is a grant, so that nothing else signed with the same secret is one (RFC 8725, section 3.11). */
const TYPE = 'fanwire-grant+jwt';
/** RFC 7518, section 3.2: as long as the hash. */
const SECRET_BYTES_MIN = 32;
/** It is a way in, not an account: whoever still wants in gets another one. */
const GRANT_SECONDS_MAX = 24 * 3600;
const LIMITS = { freshMs: 5 * 60_000, staleMaxMs: 3_600_000, cooldownMs: 30_000, retryMs: 5_000 };

/** What a back end gives to a user: rights to several topics, or operations on one. */
export type GrantOptions = {
  readonly userId: string;
  /** For how many seconds from now it lets its bearer in. */
  readonly expiresIn: number;
} & (
  | { readonly rights: Rights; readonly topic?: never }
  /** `team` is this topic alone, `team/*` the whole subtree. */
  | { readonly rights: readonly Operation[]; readonly topic: string }
);
export interface Granter {
  /** The one that new grants are signed with. */
  readonly secret: string;
  /** The API whose grants these are: its callback URL. */
  readonly audience: string;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly newId?: () => string;
}

/** For rotation: grants are signed with the current one, and those signed with the previous one are good still. */
export interface GrantSecrets {
  readonly current: string;
  readonly previous?: string;
}
export interface GrantDeps extends RenewedDeps {
  readonly audience: string;
  readonly secrets: () => Promise<GrantSecrets>;
}

/** Signs a token that gives its bearer rights, with no issuer but the back end itself. */
export async function grant(
  { userId, expiresIn, topic, rights }: GrantOptions,
  { secret, audience, now = Date.now, newId = randomUUID }: Granter,
): Promise<string> {
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > GRANT_SECONDS_MAX) {
    throw new Error(
      `expected expiresIn to be a whole number from 1 to ${GRANT_SECONDS_MAX}, got ${expiresIn}`,
    );
  }
  const granted = parseRights(topic === undefined ? rights : { [topic]: rights }, 'rights');
  const nowSeconds = Math.floor(now() / 1000);
  const token = await new SignJWT({ fanwire: { rights: granted } })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: keyIdOf(secret) })
    .setIssuer(GRANT_ISSUER)
    .setAudience(audience)
    .setSubject(subjectOf(userId))
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + expiresIn)
    .setJti(newId())
    .sign(keyOf(secret));
  if (token.length > TOKEN_LENGTH_MAX) {
    throw new Error(
      `expected rights that fit a token of ${TOKEN_LENGTH_MAX} characters, got ${token.length}`,
    );
  }
  return token;
}

/** Any text, as long as it makes a name: see `userIdOf`. */
function subjectOf(userId: string): string {
  userIdOf(userId);
  return userId;
}

/** Verifies grants with the current secret and the previous one. */
export function createGrants({ audience, secrets, ...deps }: GrantDeps): (jwt: Jwt) => Promise<Claims> {
  const readKeys = async (): Promise<ReadonlyMap<unknown, Uint8Array>> => {
    const { current, previous } = await secrets();
    const keys = new Map([[keyIdOf(current), keyOf(current)] as const]);
    if (previous === undefined) return keys;
    try {
      keys.set(keyIdOf(previous), keyOf(previous));
    } catch (error) {
      // It was never good for a grant, and is no reason to refuse those of the one that has put it right.
      deps.report('the previous secret of grants is of no use', error);
    }
    return keys;
  };
  const keys = createRenewed('the secrets of grants', readKeys, LIMITS, deps);
  const rules = { issuer: GRANT_ISSUER, audience, algorithms: [ALGORITHM], types: [TYPE] };
  const keyNamed = async ({ kid }: { readonly kid?: unknown }): Promise<Uint8Array> => {
    const key = (await keys.get()).get(kid) ?? (await keys.renew()).get(kid);
    if (!key) throw new TokenError(Fault.unknownKey);
    return key;
  };
  return (jwt) => verifyJwt(jwt, keyNamed, rules, deps.now);
}

/** Made of the secret, so that it need not be kept and rotated beside it. */
export const keyIdOf = (secret: string): string =>
  createHash('sha256').update(`${TYPE}\n${secret}`).digest('base64url').slice(0, 16);

function keyOf(secret: string): Uint8Array {
  const key = Buffer.from(secret);
  if (key.length < SECRET_BYTES_MIN) {
    throw new Error(`expected a secret of at least ${SECRET_BYTES_MIN} bytes, got ${key.length}`);
  }
  return new Uint8Array(key);
}
