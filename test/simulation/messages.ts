import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import {
  expectAllowed,
  expiryOf,
  type Publication,
  parsePublication,
} from '../../shared/protocol/publication.ts';
import { memberText } from '../../shared/protocol/source.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import { decodeJob } from '../../shared/queues/job.ts';
import { messagesTo } from '../../shared/queues/messages.ts';

/** By which messages are told apart, wherever they are met. */

export type MessageKey = string;
/** Its topic and its position, or its id if it has none. */
export const keyOf = (
  topic: string,
  epoch: string | undefined,
  { offset, messageId }: { readonly offset?: number; readonly messageId?: string },
): MessageKey => (offset === undefined ? `${topic} ${messageId}` : `${topic} ${offset} ${epoch}`);

/** By which a message is known on the bus, where it has no position yet. */
export const nameOf = ({ topic, messageId }: { topic: string; messageId?: string | undefined }): string =>
  `${topic} ${messageId}`;

export interface Pair {
  readonly connectionId: string;
  readonly key: MessageKey;
}
export const pairOf = (connectionId: string, key: MessageKey): string => `${connectionId} ${key}`;

/** The connections and messages that a delivery job names. */
export function pairsIn(body: string): Pair[] {
  const { topic, epoch, messages, connectionIds, type } = decodeJob(body);
  if (topic === undefined || type !== undefined) return [];
  const keys = messages.map(({ json }) => keyOf(topic, epoch, JSON.parse(json)));
  return connectionIds.flatMap((connectionId) => keys.map((key) => ({ connectionId, key })));
}

interface EventMessage {
  readonly topic: Topic;
  readonly messageId: string;
  readonly expiresAtMs: number;
  readonly except: readonly string[];
  /** Its publish route has written it to the log. */
  readonly isLogged: boolean;
}

/** What an event publishes to topics; undefined if nobody can make sense of it. */
export function messagesOf(event: string, namespaces: Namespaces): EventMessage[] | undefined {
  const publication = publicationIn(event, namespaces);
  if (!publication) return undefined;
  const { except = [], logged } = publication;
  const expiresAtMs = expiryOf(publication, JSON.parse(event)) ?? Infinity;
  return publication.targets.flatMap((target) => {
    if (!('topic' in target)) return [];
    const { topic } = target;
    return messagesTo(target, publication).map(({ messageId }) => ({
      topic,
      messageId,
      expiresAtMs,
      except,
      isLogged: logged !== undefined,
    }));
  });
}

function publicationIn(event: string, namespaces: Namespaces): Publication | undefined {
  const { detail, id, time } = JSON.parse(event);
  try {
    const publication = parsePublication(detail, memberText(event, 'detail') ?? '', { id, time });
    expectAllowed(publication, namespaces);
    return publication;
  } catch {
    return undefined;
  }
}
