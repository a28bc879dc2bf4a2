import { Fault, TokenError } from './errors.ts';
import type { Claims } from './jwt.ts';

interface Naming {
  readonly issuer: string;
  readonly userPrefix?: string;
}

/**
 * Makes the subject of an issuer's token the one by which Fanwire knows the user: with the issuer's prefix before it. A
 * subject that would come to look like one of an issuer with a longer prefix is refused, so each belongs to one issuer.
 */
export function createSubjects(issuers: readonly Naming[]): (claims: Claims, issuer: unknown) => Claims {
  const prefixes = new Map<unknown, string>(
    issuers.map(({ issuer, userPrefix = '' }) => [issuer, userPrefix]),
  );
  return (claims, issuer) => {
    const prefix = prefixes.get(issuer) ?? '';
    // What is no name is none with a prefix either.
    if (typeof claims.sub !== 'string' || claims.sub === '') return claims;
    const sub = prefix + claims.sub;
    for (const other of prefixes.values()) {
      if (other.length > prefix.length && sub.startsWith(other)) throw new TokenError(Fault.userId);
    }
    return { ...claims, sub };
  };
}
