import { createHash } from 'node:crypto';
import type { WireMessage } from '../protocol/frames.ts';
import type { DataJson } from '../protocol/json.ts';
import type { Payload, Publication, Target } from '../protocol/publication.ts';

/**
 * The messages that one of a publication's targets gets. The publish route calls this for the ids in its
 * acknowledgement and the fan-out for the messages themselves, so the ids depend on nothing but the arguments.
 */
export const messagesTo = (target: Target, { targets, payloads, publishedAt, publisher }: Publication) =>
  payloads.map(
    (payload): WireMessage<DataJson> => ({
      messageId: messageIdOf(target, targets.indexOf(target), payload),
      publishedAt,
      publisher,
      data: payload.data,
    }),
  );

/**
 * A message published again with the same key gets the same id, by which a receiver recognises it. Published to several
 * targets it is a message of its own for each, so that the ids of all but the first are numbered, from 1.
 */
export function messageIdOf(
  target: Target,
  index: number,
  { messageId, key }: Omit<Payload, 'data'>,
): string {
  if (key === undefined) return index === 0 ? messageId : `${messageId}-${index}`;
  return createHash('sha256')
    .update(`${JSON.stringify(target)}\n${key}`)
    .digest('base64url')
    .slice(0, 22);
}
