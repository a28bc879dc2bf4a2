import type { Operation, Rights } from '../../shared/protocol/rights.ts';

/**
 * Who may read what, in a few lines that share nothing with the code that decides it: a topic is read by whoever holds a
 * token that is not over, of which a right is to this very topic, to everything below something that it is below, or to
 * everything.
 */

/** Time that a connection has to come back with another token, and that a revocation has to reach it. */
export const GRACE_MS = 30_000;

/** What a token says, as whoever issued it meant it. */
export interface Token {
  readonly id: string;
  /** Nobody's: there is none. */
  readonly user: string | undefined;
  /** Those of everybody with a token are among them. */
  readonly rights: Rights;
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

const isBelow = (topic: string, wildcard: string): boolean =>
  wildcard === '*' || (wildcard.endsWith('/*') && `${topic}/`.startsWith(wildcard.slice(0, -1)));

/** Whether a right to `right` is one to the topic, or the whole of the wildcard, that is wanted. */
export const isRightTo = (right: string, wanted: string): boolean =>
  right === wanted || isBelow(wanted.replace(/\/\*$/, ''), right);

export const allows = ({ rights }: Token, operation: Operation, wanted: string): boolean =>
  Object.entries(rights).some(
    ([right, operations]) => operations.includes(operation) && isRightTo(right, wanted),
  );

/** Whether a subscription to the pattern brings the topic. */
export const brings = (pattern: string, topic: string): boolean =>
  pattern === topic || isBelow(topic, pattern);

/** Of all that was issued to a user up to a time, or of one token. */
export interface Revocation {
  readonly user: string;
  readonly tokenId?: string;
  readonly atMs: number;
}

export const isRevoked = (token: Token, revocations: readonly Revocation[], beforeMs: number): boolean =>
  revocations.some(
    ({ user, tokenId, atMs }) =>
      user === token.user &&
      (tokenId === undefined ? token.issuedAtMs <= atMs : tokenId === token.id) &&
      atMs < beforeMs,
  );
