import { type Reply, replyJson } from '../protocol/acks.ts';
import { ErrorCode } from '../protocol/errors.ts';
import type { Command } from '../protocol/frames.ts';
import { isOutage, isThrottle } from '../retry.ts';
import type { MessageEvent, RouteResult } from './events.ts';
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

/** A throttle or an outage is nobody's mistake: the same command succeeds when it is over. */
function toLastError(error: unknown, id: string | undefined): RouteResult {
  const got = isThrottle(error) ? 'throttled' : isOutage(error) ? 'an error of it' : undefined;
  return got
    ? toError(id, ErrorCode.unavailable, `expected a service to take it, got ${got}; send it again`)
    : toError(id, ErrorCode.internal, 'something went wrong here');
}

/** 200 also for an error frame: the frame was handled, and the client is told in its own protocol. */
const toResult = (reply: Reply<string>): RouteResult => ({ statusCode: 200, body: replyJson(reply) });
