import { Fault, TokenError } from './errors.ts';
import { createIssuerKeys, type WebDeps } from './jwks.ts';
import { type Claims, type Jwt, verifyJwt } from './jwt.ts';

/** What an issuer may sign with. With one that is not asymmetric, whoever has the public key could sign. */
export const IDENTITY_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
export type IdentityAlgorithm = (typeof IDENTITY_ALGORITHMS)[number];

/** RFC 9068 has `at+jwt` for access tokens. What else an issuer signs (of logouts, of proofs) identifies nobody. */
const TYPES = [undefined, 'jwt', 'at+jwt'];

/** An OpenID Connect issuer whose tokens are taken. */
export interface Issuer {
  /** As it stands in its tokens' `iss`. */
  readonly issuer: string;
  /** One of these must be in `aud`. */
  readonly audience: string | readonly string[];
  /** Where its keys are, if its OpenID configuration is not to be asked. */
  readonly jwksUri?: string;
  readonly algorithms?: readonly IdentityAlgorithm[];
}

/** Verifies identity tokens; the given issuers' and no others. */
export function createIdentities(issuers: readonly Issuer[], deps: WebDeps): (jwt: Jwt) => Promise<Claims> {
  const known = new Map<unknown, readonly [Issuer, ReturnType<typeof createIssuerKeys>]>(
    issuers.map((issuer) => [issuer.issuer, [issuer, createIssuerKeys(issuer, deps)]]),
  );
  return async (jwt) => {
    const [rules, keyOf] = known.get(jwt.issuer) ?? [];
    if (!rules || !keyOf) throw new TokenError(Fault.issuer);
    const { algorithms = IDENTITY_ALGORITHMS } = rules;
    return verifyJwt(jwt, keyOf, { ...rules, algorithms, types: TYPES }, deps.now);
  };
}
