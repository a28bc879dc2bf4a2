/** Every code that an `error` frame can carry. */
export const ErrorCode = {
  badRequest: 'bad_request',
  unknownAction: 'unknown_action',
  tooLarge: 'too_large',
  limitExceeded: 'limit_exceeded',
  unauthenticated: 'unauthenticated',
  expired: 'expired',
  forbidden: 'forbidden',
  rateLimited: 'rate_limited',
  gone: 'gone',
  unavailable: 'unavailable',
  internal: 'internal',
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The caller's fault: its code and message go back to the client as they are. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ErrorCode;
  /** From now, when the same will be taken. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export const badRequest = (expected: string, got: unknown): ClientError =>
  new ClientError(ErrorCode.badRequest, `expected ${expected}, got ${describe(got)}`);

/**
 * A frame came over a connection that has no row any more: a 410 has said that it is gone, or it is about to be. It
 * gets no messages, and its client cannot know.
 */
export const givenUp = (): ClientError =>
  new ClientError(ErrorCode.gone, 'expected an open connection, got one that was given up; connect again');

/** A value as an error message shows it: short, so that a bad frame is not sent back whole. */
export function describe(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > GOT_LENGTH_MAX ? `${text.slice(0, GOT_LENGTH_MAX)}…` : text;
}

const GOT_LENGTH_MAX = 80;
