import type { AuthorizerResult } from '../lambda/events.ts';
import type { Access } from './access.ts';
import { Fault, TokenError } from './errors.ts';

/** Of the 8 KB that an authorizer may answer with, its policy needs less than the rest. */
const CONTEXT_BYTES_MAX = 7 * 1024;

/** What the authorizer hands on to a connection's events; throws a `TokenError` if that is too much. */
export function contextOf(access: Access | Pick<Access, 'rights'>): NonNullable<AuthorizerResult['context']> {
  const context = { ...access, rights: JSON.stringify(access.rights) };
  if (Buffer.byteLength(JSON.stringify(context)) > CONTEXT_BYTES_MAX)
    throw new TokenError(Fault.rightsTooLong);
  return context;
}
