/** What can be wrong with the token of a handshake. It is for the log, and says nothing of what is in the token. */
export const Fault = {
  nobody: 'nobody_may_connect',
  none: 'no_token',
  several: 'several_tokens',
  tooLong: 'too_long',
  notAllowed: 'not_allowed_in_query',
  scheme: 'unknown_scheme',
  malformed: 'malformed',
  algorithm: 'algorithm',
  type: 'type',
  issuer: 'issuer',
  audience: 'audience',
  expired: 'expired',
  notYetValid: 'not_yet_valid',
  issuedAt: 'issued_at',
  tooOld: 'too_old',
  claims: 'claims',
  unknownKey: 'unknown_key',
  signature: 'signature',
  userId: 'user_id',
  rights: 'rights',
  rightsTooLong: 'rights_too_long',
  unknownTicket: 'unknown_ticket',
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];

/** The token is good, so that another of the same kind would not help. */
export const FORBIDDEN: readonly Fault[] = [Fault.userId, Fault.rights, Fault.rightsTooLong];

/** The token is of no use. There is no `cause`, because jose's errors hold the claims. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(`expected a valid token, got one with the fault ${fault}`);
    this.fault = fault;
  }
}

/** Whether the token is good cannot be said: there are no keys to verify it with. The same token may do later. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError';
}
