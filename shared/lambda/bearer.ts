import type { Rights } from '../protocol/rights.ts';

/** What the authorizer said of a connection, with each of its events. */
export interface Bearer {
  /** Verified; somebody without a token has none. */
  readonly userId?: string;
  readonly rights: Rights;
  /** When its token ends; nobody's word for somebody without one. */
  readonly expiresAtMs: number;
  /** What its token can be revoked by, and when it was issued. */
  readonly tokenId?: string;
  readonly issuedAtMs?: number;
}

/** Context values of the authorizer, as API Gateway hands them on: it wrote them itself, so they are trusted. */
type Context = Readonly<Record<string, string | number | boolean>>;

export const bearerOf = ({ userId, rights, expiresAt, tokenId, issuedAt }: Context): Bearer => ({
  ...(typeof userId === 'string' && userId !== '' && { userId }),
  rights: typeof rights === 'string' ? (JSON.parse(rights) as Rights) : {},
  expiresAtMs: expiresAt === undefined ? Infinity : Number(expiresAt) * 1000,
  ...(typeof tokenId === 'string' && tokenId !== '' && { tokenId }),
  ...(issuedAt !== undefined && { issuedAtMs: Number(issuedAt) * 1000 }),
});

/** So long after its token has ended a connection may go on, for a client that is about to come back with another. */
const GRACE_MS = 30_000;

/** When a connection gets nothing any more and may do nothing any more, in epoch milliseconds. */
export const endsAtMs = ({ expiresAtMs }: Pick<Bearer, 'expiresAtMs'>): number => expiresAtMs + GRACE_MS;
