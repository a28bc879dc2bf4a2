import type { RouteResult } from './events.ts';
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
    [logContext(), lastResort(() => ({ statusCode: 500 })), clientErrorTo(() => ({ statusCode: 400 }))],
    async (event: E) => {
      await run(event);
      const headers = headersFor?.(event);
      return { statusCode: 200, ...(headers && { headers }) };
    },
  );
