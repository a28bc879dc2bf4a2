import type { RightsGuard } from '../../shared/auth/guard.ts';
import { publisherOf } from '../../shared/auth/publisher.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { Action } from '../../shared/protocol/frames.ts';
import type { SendFrame } from '../../shared/protocol/parse.ts';
import { recipientPath } from '../../shared/protocol/rights.ts';
import type { Bus } from '../../shared/queues/bus.ts';

export interface SendDeps {
  readonly bus: Bus;
  readonly guard: RightsGuard;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Puts a message to one connection, or to every connection of one user, on the bus. */
export async function send(
  input: RouteInput<SendFrame>,
  { bus, guard, now, newId }: SendDeps,
): Promise<AckFrame<'send'>> {
  const { frame } = input;
  await guard.expectMay(input, 'send', recipientPath(frame.to));
  const messageId = newId();
  await bus.publish([
    {
      targets: [frame.to],
      payloads: [{ data: frame.data, messageId }],
      publishedAt: new Date(now()).toISOString(),
      publisher: publisherOf(input),
      ...(frame.maxAge !== undefined && { maxAge: frame.maxAge }),
    },
  ]);
  return ack(Action.send, frame, { messageId });
}
