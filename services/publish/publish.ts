import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError, describe, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action, SELF } from '../../shared/protocol/frames.ts';
import { type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import type { PublishFrame } from '../../shared/protocol/parse.ts';
import { expectAllowed, type Publication } from '../../shared/protocol/publication.ts';
import type { Bus } from '../../shared/queues/bus.ts';
import { messagesTo } from '../../shared/queues/messages.ts';

export interface PublishDeps {
  readonly bus: Bus;
  readonly now: () => number;
  readonly newId: () => string;
  readonly namespaces: Namespaces;
}

/** Puts messages on the bus and waits for nothing else: no subscriber can delay a publisher. */
export async function publish(
  { connectionId, frame }: RouteInput<PublishFrame>,
  { bus, now, newId, namespaces }: PublishDeps,
): Promise<AckFrame<'publish'>> {
  const publishedAt = new Date(now()).toISOString();
  const publications = frame.messages.map(
    ({ topics, data, key, version, maxAge, except, receipt }): Publication => ({
      targets: topics.map((topic) => ({ topic })),
      payloads: [
        {
          data,
          messageId: newId(),
          ...(key !== undefined && { key }),
          ...(version !== undefined && { version }),
        },
      ],
      publishedAt,
      publisher: { connectionId },
      ...(maxAge !== undefined && { maxAge }),
      ...(except && { except: except === SELF ? [connectionId] : except }),
      ...(receipt && { receipt: { connectionId, ...(frame.id && { id: frame.id }) } }),
    }),
  );
  for (const publication of publications) expectMayPublish(publication, namespaces);
  await bus.publish(mergeNeighbours(publications));
  const messageIds = publications.flatMap((publication) =>
    publication.targets
      .flatMap((target) => messagesTo(target, publication))
      .map(({ messageId }) => messageId),
  );
  if (frame.batch) return ack(Action.publish, frame, { messageIds });
  const messageId = messageIds[0] as string; // one message to one topic
  return ack(Action.publish, frame, { messageId });
}

function expectMayPublish(publication: Publication, namespaces: Namespaces): void {
  for (const target of publication.targets) {
    if ('topic' in target && !namespaceOf(target.topic, namespaces).clientPublish) {
      throw new ClientError(
        ErrorCode.forbidden,
        `expected a topic that clients may publish to, got ${describe(target.topic)}`,
      );
    }
  }
  expectAllowed(publication, namespaces);
}

/**
 * Neighbours that differ in nothing but their data travel in one event: it costs one, and they stay in order and
 * reach each subscriber in one frame.
 */
function mergeNeighbours(publications: readonly Publication[]): Publication[] {
  const merged: Publication[] = [];
  for (const publication of publications) {
    const last = merged.at(-1);
    if (last && withoutPayloads(last) === withoutPayloads(publication)) {
      merged[merged.length - 1] = { ...last, payloads: [...last.payloads, ...publication.payloads] };
    } else merged.push(publication);
  }
  return merged;
}

const withoutPayloads = ({ payloads: _, ...rest }: Publication): string => JSON.stringify(rest);
