import { badRequest } from './errors.ts';
import { expectFields, parseObject, parseUserId } from './parse.ts';

/** The `DetailType` of an event with which a back end revokes tokens. */
export const REVOKE_DETAIL_TYPE = 'fanwire.revoke';

/** Since a token is taken for no longer than this after it was issued, what is revoked need not be known for ever. */
export const TOKEN_AGE_MAX_SECONDS = 30 * 86_400;

/** What a token may be known by: a connection's item has one of each of up to 1,000 grants, and 400 KB for all it has. */
const TOKEN_ID = /^[A-Za-z0-9_.~:@-]{1,64}$/;
export const isTokenId = (value: unknown): value is string =>
  typeof value === 'string' && TOKEN_ID.test(value);

/** All that was issued to a user so far, or one token of that user. */
export interface Revocation {
  readonly userId: string;
  readonly tokenId?: string;
}

/** What the `Detail` of one `fanwire.revoke` event says. */
export function parseRevocation(detail: unknown): Revocation {
  const raw = parseObject('detail to be an object', detail);
  expectFields('detail', raw, ['userId', 'tokenId']);
  const { tokenId } = raw;
  if (tokenId !== undefined && !isTokenId(tokenId)) {
    throw badRequest(
      'tokenId to be 1 to 64 letters, digits or _.~:@- (for a token with any other jti the SHA-256 of what is signed, as `revocation({ token })` makes it)',
      tokenId,
    );
  }
  return { userId: parseUserId(raw.userId), ...(tokenId !== undefined && { tokenId }) };
}
