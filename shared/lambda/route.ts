import { type Reply, replyJson } from '../protocol/acks.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Command } from '../protocol/frames.ts';
import type { MessageEvent, RouteResult } from './events.ts';
import { lastErrorOf } from './last-error.ts';
import { clientErrorTo } from './middleware/client-error.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';
import { parseFrame, type RouteInput } from './middleware/parse-frame.ts';
import { type Handler, type Middleware, stack } from './stack.ts';

export type { RouteInput };

/** Every WebSocket route's stack. Errors climb it from the last entry to the first. */
export const route = <F extends Command>(
  parse: (raw: Readonly<Record<string, unknown>>, text: string) => F,
  run: (input: RouteInput<F>) => Reply<string> | Promise<Reply<string>>,
): Handler<MessageEvent, RouteResult> =>
  stack(
    [
      logContext(),
      lastResort(toLastError),
      clientErrorTo(({ code, message, retryAfterMs }, id) => toError(id, code, message, retryAfterMs)),
      parseFrame(parse),
      replyToResult(),
    ],
    run,
  );

const replyToResult = (): Middleware => ({
  after(invocation) {
    invocation.response = toResult(invocation.response as Reply<string>); // what every route answers with
  },
});

const toError = (
  id: string | undefined,
  code: ErrorCode,
  message: string,
  retryAfterMs?: number,
): RouteResult =>
  toResult({
    type: 'error',
    ...(id !== undefined && { id }),
    code,
    message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

function toLastError(error: unknown, id: string | undefined): RouteResult {
  const { code, message } = lastErrorOf(error);
  return toError(id, code, message);
}

/** 200 also for an error frame: the frame was handled, and the client is told in its own protocol. */
const toResult = (reply: Reply<string>): RouteResult => ({ statusCode: 200, body: replyJson(reply) });
