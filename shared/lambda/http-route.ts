import { ErrorCode } from '../protocol/errors.ts';
import type { HttpEvent, HttpResult } from './events.ts';
import { lastErrorOf } from './last-error.ts';
import { logger } from './logger.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';
import { type Handler, stack } from './stack.ts';

/** What a route of an HTTP API answers: its status and body, or which error, and for the log why. */
export type HttpReply = { readonly status: number; readonly body: object } | HttpError;
interface HttpError {
  readonly code: HttpErrorCode;
  readonly message: string;
  readonly reason?: string;
  readonly retryAfterMs?: number | undefined;
}

/** Those that have a status of HTTP. */
const STATUSES = {
  [ErrorCode.unauthenticated]: 401,
  [ErrorCode.expired]: 401,
  [ErrorCode.forbidden]: 403,
  [ErrorCode.rateLimited]: 429,
  [ErrorCode.internal]: 500,
  [ErrorCode.unavailable]: 503,
} as const satisfies Partial<Record<ErrorCode, number>>;
type HttpErrorCode = keyof typeof STATUSES;

/** The stack of every route of an HTTP API. */
export const httpRoute = (run: (event: HttpEvent) => Promise<HttpReply>): Handler<HttpEvent, HttpResult> =>
  stack([logContext(), lastResort((error) => toHttpResult(lastErrorOf(error)))], async (event: HttpEvent) => {
    const reply = await run(event);
    if ('reason' in reply) {
      logger.warn(`request refused: ${reply.reason}`, { code: reply.code, reason: reply.reason });
    }
    return toHttpResult(reply);
  });

function toHttpResult(reply: HttpReply): HttpResult {
  if ('status' in reply) return result(reply.status, reply.body);
  const { code, message, retryAfterMs } = reply;
  if (retryAfterMs === undefined) return result(STATUSES[code], { code, message });
  const retryAfter = String(Math.ceil(retryAfterMs / 1_000)); // RFC 9110, 10.2.3: in whole seconds
  return result(STATUSES[code], { code, message, retryAfterMs }, { 'retry-after': retryAfter });
}

/** Nothing that is answered here is for anybody else, or for later. */
const result = (statusCode: number, body: object, headers: HttpResult['headers'] = {}): HttpResult => ({
  statusCode,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body: JSON.stringify(body),
});
