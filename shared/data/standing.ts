import type { Rights } from '../protocol/rights.ts';
import type { ConnectionItem, TokenAttributes } from './tables.ts';

// What a connection's item says of its tokens, and how it is written there.

/** What a token says that a connection was renewed with. */
export interface RenewedToken {
  readonly rights: Rights;
  readonly expiresAtMs: number;
  readonly issuedAtMs: number;
  readonly tokenId: string;
}
/** What a connection's item says of its rights, beside those of the token that it was opened with. */
export interface Standing {
  readonly renewed?: RenewedToken;
  readonly renewals: number;
  /**
   * When subscriptions end that may end before the connection: those that come with a grant, and
   * those that only one of its tokens covers. One that has ended stays here until its client unsubscribes or subscribes
   * again, because it has to be told.
   */
  readonly ends: ReadonlyMap<string, OwnEnd>;
}
/** When a subscription ends. */
export interface OwnEnd {
  readonly atMs: number;
  /** The grant that it comes with, if it does: that can be revoked. */
  readonly grant?: Pick<RenewedToken, 'tokenId' | 'issuedAtMs'>;
}

/** A token, as a connection's item has it; one that an earlier version has noted says nothing of itself. */
export interface HeldToken {
  readonly tokenId?: string;
  readonly issuedAtMs?: number;
}
/** What a connection goes on by. */
export interface Held {
  readonly endsAtMs: number;
  /** The token that it was opened with, then the one that it was renewed with, if any, and its grants. */
  readonly tokens: readonly [HeldToken, ...HeldToken[]];
}

export const renewedItem = ({ rights, expiresAtMs, issuedAtMs, tokenId }: RenewedToken) =>
  ({
    M: {
      rights: { S: JSON.stringify(rights) },
      expiresAt: { N: String(expiresAtMs / 1000) },
      issuedAt: { N: String(issuedAtMs) },
      tokenId: { S: tokenId },
    },
  }) satisfies ConnectionItem['renewed'];

export const endItem = ({ atMs, grant }: OwnEnd) =>
  ({
    M: {
      expiresAt: { N: String(Math.ceil(atMs / 1000)) },
      ...(grant && { tokenId: { S: grant.tokenId }, issuedAt: { N: String(grant.issuedAtMs) } }),
    },
  }) satisfies NonNullable<ConnectionItem['ends']>['M'][string];

const endIn = ({
  expiresAt,
  tokenId,
  issuedAt,
}: NonNullable<ConnectionItem['ends']>['M'][string]['M']): OwnEnd => ({
  atMs: Number(expiresAt.N) * 1000,
  ...(tokenId && issuedAt && { grant: { tokenId: tokenId.S, issuedAtMs: Number(issuedAt.N) } }),
});

export function standingIn({ renewed, renewals, ends }: Partial<ConnectionItem>): Standing {
  return {
    ...(renewed && {
      renewed: {
        rights: JSON.parse(renewed.M.rights.S) as Rights, // this repository wrote it
        expiresAtMs: Number(renewed.M.expiresAt.N) * 1000,
        issuedAtMs: Number(renewed.M.issuedAt.N),
        tokenId: renewed.M.tokenId.S,
      },
    }),
    renewals: Number(renewals?.N ?? 0),
    ends: new Map(Object.entries(ends?.M ?? {}).map(([pattern, { M }]) => [pattern, endIn(M)])),
  };
}

export const endsAtMsOf = ({
  expiresAt,
}: {
  readonly expiresAt?: { readonly N?: string | undefined };
}): number => Number(expiresAt?.N) * 1000;

export function heldIn({ renewed, ends, ...item }: Partial<ConnectionItem>): Held {
  const grants = Object.values(ends?.M ?? {}).filter(({ M }) => M.tokenId);
  const others = [...(renewed ? [renewed] : []), ...grants];
  return { endsAtMs: endsAtMsOf(item), tokens: [tokenIn(item), ...others.map(({ M }) => tokenIn(M))] };
}

const tokenIn = ({ tokenId, issuedAt }: TokenAttributes): HeldToken => ({
  ...(tokenId && { tokenId: tokenId.S }),
  ...(issuedAt && { issuedAtMs: Number(issuedAt.N) }),
});
