import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { Action } from '../../shared/protocol/frames.ts';
import type { SendFrame } from '../../shared/protocol/parse.ts';
import type { Bus } from '../../shared/queues/bus.ts';

export interface SendDeps {
  readonly bus: Bus;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Puts a message to one connection, or to every connection of one user, on the bus. */
export async function send(
  { connectionId, frame }: RouteInput<SendFrame>,
  { bus, now, newId }: SendDeps,
): Promise<AckFrame<'send'>> {
  const messageId = newId();
  await bus.publish([
    {
      targets: [frame.to],
      payloads: [{ data: frame.data, messageId }],
      publishedAt: new Date(now()).toISOString(),
      publisher: { connectionId },
      ...(frame.maxAge !== undefined && { maxAge: frame.maxAge }),
    },
  ]);
  return ack(Action.send, frame, { messageId });
}
