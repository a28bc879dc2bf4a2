import { type Command, ID_LENGTH_MAX } from '../../protocol/frames.ts';
import { parseJsonObject } from '../../protocol/parse.ts';
import { type Bearer, bearerOf } from '../bearer.ts';
import type { MessageEvent } from '../events.ts';
import type { Middleware } from '../stack.ts';

/** What a route's plain function gets. */
export interface RouteInput<F extends Command> {
  readonly connectionId: string;
  /** What the authorizer of `$connect` said of it; absent if none was asked. */
  readonly bearer?: Bearer;
  /** Epoch milliseconds. */
  readonly connectedAtMs: number;
  readonly frame: F;
}

/** Whose a frame is. */
type Sender = Omit<RouteInput<never>, 'frame'>;

/**
 * Parses the frame once, with its text at hand; from here on its shape is known. `charge` is told of every frame, also of
 * one that is not as it should be.
 */
export const parseFrame = <F extends Command>(
  parse: (raw: Readonly<Record<string, unknown>>, text: string) => F,
  charge: (sender: Sender, frame: F | undefined) => Promise<void>,
): Middleware => ({
  async before(invocation) {
    const { body = '', requestContext } = invocation.event as MessageEvent;
    const { authorizer } = requestContext;
    const sender: Sender = {
      ...(authorizer && { bearer: bearerOf(authorizer) }),
      connectionId: requestContext.connectionId,
      connectedAtMs: requestContext.connectedAt,
    };
    let frame: F | undefined;
    try {
      // So that an error about the rest can be matched to its command.
      const raw = parseJsonObject(body, (id) => {
        if (typeof id === 'string' && id.length <= ID_LENGTH_MAX) invocation.internal.id = id;
      });
      frame = parse(raw, body);
    } finally {
      await charge(sender, frame);
    }
    invocation.event = { ...sender, frame } satisfies RouteInput<F>;
  },
});
