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

/** What every frame of a client, and every reply to one, is counted against. */
export interface RouteLimits<F> {
  /** Before anything is done. Gets no frame if that is not as it should be. */
  charge(sender: Omit<RouteInput<never>, 'frame'>, frame: F | undefined): Promise<void>;
  settle(sender: Omit<RouteInput<never>, 'frame'>, reply: Reply<string>): Promise<void>;
}
const UNLIMITED: RouteLimits<unknown> = { async charge() {}, async settle() {} };

/** Every WebSocket route's stack. Errors climb it from the last entry to the first. */
export const route = <F extends Command>(
  parse: (raw: Readonly<Record<string, unknown>>, text: string) => F,
  run: (input: RouteInput<F>) => Reply<string> | Promise<Reply<string>>,
  { charge, settle }: RouteLimits<F> = UNLIMITED,
): Handler<MessageEvent, RouteResult> =>
  stack(
    [
      logContext(),
      lastResort(toLastError),
      clientErrorTo(({ code, message, retryAfterMs }, id) => toError(id, code, message, retryAfterMs)),
      parseFrame(parse, charge),
      replyToResult(),
      settleReply(settle),
    ],
    run,
  );

const replyToResult = (): Middleware => ({
  after(invocation) {
    invocation.response = toResult(invocation.response as Reply<string>); // what every route answers with
  },
});

/** How much a reply is of is known only when it is there. */
const settleReply = (settle: RouteLimits<never>['settle']): Middleware => ({
  after: ({ event, response }) => settle(event as RouteInput<never>, response as Reply<string>),
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
