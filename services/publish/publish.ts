import type { Bus } from '../../shared/bus.ts';
import { type AckFrame, Action, ack, type PublishFrame } from '../../shared/protocol.ts';
import { messageIdOf } from '../../shared/publication.ts';
import type { RouteInput } from '../../shared/route.ts';

export interface PublishDeps {
  readonly bus: Bus;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Puts messages on the bus and waits for nothing else: no subscriber can delay a publisher. */
export async function publish(
  { connectionId, frame }: RouteInput<PublishFrame>,
  { bus, now, newId }: PublishDeps,
): Promise<AckFrame> {
  const publishedAt = new Date(now()).toISOString();
  const publications = frame.messages.map(({ topic, data, key }) => ({
    target: { topic },
    data,
    messageId: messageIdOf({ topic }, key, newId()),
    publishedAt,
    publisher: { connectionId },
  }));
  await bus.publish(publications);
  const messageIds = publications.map(({ messageId }) => messageId);
  return ack(Action.publish, frame, frame.batch ? { messageIds } : { messageId: messageIds[0] });
}
