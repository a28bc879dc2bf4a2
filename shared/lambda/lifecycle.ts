import middy from '@middy/core';
import type { RouteResult } from './events.ts';
import { clientErrorTo } from './middleware/client-error.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';

/** The stack of `$connect` and `$disconnect`: a status decides over the handshake, and no body reaches the client. */
export const lifecycle = <E>(run: (event: E) => Promise<void>) =>
  middy<E, RouteResult>()
    .use([logContext(), lastResort(() => ({ statusCode: 500 })), clientErrorTo(() => ({ statusCode: 400 }))])
    .handler((async (event: E) => {
      await run(event);
      return { statusCode: 200 };
    }) as never);
