import { decodeJwt } from 'jose';
import { parseRevocation, REVOKE_DETAIL_TYPE, type Revocation } from '../protocol/revocation.ts';
import { parseJwt, tokenIdOf } from './jwt.ts';
import { userIdOf } from './user.ts';

/** All that a user has got so far; or one token, by its text, which is not verified, or its id. */
export type RevocationOptions =
  | { readonly userId: string; readonly tokenId?: string; readonly token?: never }
  | {
      readonly token: string;
      /** Of the token's issuer, if the settings give it one. */
      readonly userPrefix?: string;
      readonly userId?: never;
      readonly tokenId?: never;
    };
export interface Revoker {
  readonly eventBusName: string;
  /** Who says so, as rules may want to know. */
  readonly source?: string;
}

/** An entry of PutEvents. */
interface Entry {
  readonly EventBusName: string;
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
}

/**
 * Makes the event with which a back end revokes tokens: from then on they are refused, and connections that have them are
 * closed.
 */
export const revocation = (
  options: RevocationOptions,
  { eventBusName, source = 'back-end' }: Revoker,
): Entry => ({
  EventBusName: eventBusName,
  Source: source,
  DetailType: REVOKE_DETAIL_TYPE,
  Detail: JSON.stringify(parseRevocation(detailOf(options))),
});

function detailOf(options: RevocationOptions): Revocation {
  if (options.token === undefined) {
    const { userId, tokenId } = options;
    return { userId: userIdOf(userId), ...(tokenId !== undefined && { tokenId }) };
  }
  const { token, userPrefix = '' } = options;
  const jwt = parseJwt(token);
  const { sub, jti } = decodeJwt(token);
  const userId = userIdOf(typeof sub === 'string' ? userPrefix + sub : sub);
  return { userId, tokenId: tokenIdOf(jwt, { jti }) };
}
