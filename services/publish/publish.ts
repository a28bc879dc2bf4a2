import type { Bus } from '../../shared/bus.ts';
import { type AckFrame, Action, ack, type PublishFrame, SELF } from '../../shared/protocol.ts';
import { messagesTo, type Publication } from '../../shared/publication.ts';
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
  const publications = frame.messages.map(
    ({ topics, data, key, maxAge, except }): Publication => ({
      targets: topics.map((topic) => ({ topic })),
      payloads: [{ data, messageId: newId(), ...(key !== undefined && { key }) }],
      publishedAt,
      publisher: { connectionId },
      ...(maxAge !== undefined && { maxAge }),
      ...(except && { except: except === SELF ? [connectionId] : except }),
    }),
  );
  await bus.publish(together(publications));
  const messageIds = publications.flatMap((publication) =>
    publication.targets
      .flatMap((target) => messagesTo(target, publication))
      .map(({ messageId }) => messageId),
  );
  return ack(Action.publish, frame, frame.batch ? { messageIds } : { messageId: messageIds[0] });
}

/**
 * Neighbours that differ in nothing but their data travel in one event: it costs one, and they stay in order and
 * reach each subscriber in one frame.
 */
function together(publications: readonly Publication[]): Publication[] {
  const merged: Publication[] = [];
  for (const publication of publications) {
    const last = merged.at(-1);
    if (last && addressOf(last) === addressOf(publication)) {
      merged[merged.length - 1] = { ...last, payloads: [...last.payloads, ...publication.payloads] };
    } else merged.push(publication);
  }
  return merged;
}

const addressOf = ({ payloads: _, ...address }: Publication): string => JSON.stringify(address);
