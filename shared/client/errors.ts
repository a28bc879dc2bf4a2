import type { ClosingCode } from '../protocol/acks.ts';
import type { ErrorCode as ServerCode } from '../protocol/errors.ts';

/** What the client finds out by itself. */
const OWN_CODES = [
  'timeout',
  'disconnected',
  'queue_full',
  'closed',
  'lost',
  'bad_frame',
  'handler_failed',
] as const;

/** What the server answers with or ends a connection with, and what the client finds out by itself. */
export type FanwireErrorCode = ServerCode | ClosingCode | (typeof OWN_CODES)[number];

/** Any word but the client's own, which steer it: a server of tomorrow may have more codes. */
export const isServerCode = (code: unknown): code is ServerCode =>
  typeof code === 'string' && !(OWN_CODES as readonly string[]).includes(code);

/** What may work when it is tried again as it is. */
const TEMPORARY: readonly FanwireErrorCode[] = [
  'rate_limited',
  'unavailable',
  'gone',
  'internal',
  'timeout',
  'disconnected',
  'queue_full',
];

export interface FanwireErrorOptions extends ErrorOptions {
  /** Unless given, the code decides. */
  readonly temporary?: boolean;
  readonly retryAfterMs?: number | undefined;
}

/**
 * Everything that the client reports or rejects with.
 *
 * @example A `token` callback that knows that another try is useless. The client then closes for good.
 * throw new FanwireError('forbidden', 'signed out');
 */
export class FanwireError extends Error {
  override readonly name = 'FanwireError';
  readonly code: FanwireErrorCode;
  /** Whether the same may work later. */
  readonly temporary: boolean;
  /** With `rate_limited`: from when the server had answered, until it takes the same. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FanwireErrorCode, message: string, options: FanwireErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.temporary = options.temporary ?? TEMPORARY.includes(code);
    this.retryAfterMs = options.retryAfterMs;
  }
}
