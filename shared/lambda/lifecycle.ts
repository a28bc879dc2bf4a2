import { type ClientError, ErrorCode } from '../protocol/errors.ts';
import type { RouteResult } from './events.ts';
import { logger } from './logger.ts';
import { clientErrorTo } from './middleware/client-error.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';
import { type Handler, stack } from './stack.ts';

/**
 * The stack of `$connect` and `$disconnect`: a status decides over the handshake, and no body reaches the client. Headers
 * do.
 */
export const lifecycle = <E>(
  run: (event: E) => Promise<void>,
  headersFor?: (event: E) => RouteResult['headers'],
): Handler<E, RouteResult> =>
  stack(
    [logContext(), lastResort(() => ({ statusCode: 500 })), clientErrorTo(toRefusal)],
    async (event: E) => {
      await run(event);
      const headers = headersFor?.(event);
      return { statusCode: 200, ...(headers && { headers }) };
    },
  );

/** Of a handshake that is refused for more than its shape, the log says why: its client learns only the status. */
function toRefusal({ code, message }: ClientError): RouteResult {
  const status = STATUSES[code];
  if (status !== undefined) logger.warn(`handshake refused: ${message}`, { status, reason: message });
  return { statusCode: status ?? 400 };
}

const STATUSES: Partial<Record<ErrorCode, number>> = {
  [ErrorCode.unauthenticated]: 401,
  [ErrorCode.limitExceeded]: 429,
};
