import { createHash } from 'node:crypto';
import { badRequest } from './errors.ts';
import { toQueueJson } from './json.ts';
import {
  expectFields,
  expectShallow,
  type MessageFrame,
  type Publisher,
  parseData,
  parseKey,
  parseObject,
  parseRecipient,
  type Recipient,
} from './protocol.ts';
import { parseTopic, type Topic } from './topic.ts';

export type Target = { readonly topic: Topic } | Recipient | { readonly everyone: true };

/** A message on its way: what the `Detail` of a `fanwire.publish` event says, from a client or a back end. */
export interface Publication {
  readonly target: Target;
  readonly data: unknown;
  readonly messageId: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
}

/** What an EventBridge event has that a detail may leave out. */
export interface Envelope {
  readonly id: string;
  readonly time: string;
}

export const encodePublication = ({ target, ...rest }: Publication): string =>
  toQueueJson({ ...encodeTarget(target), ...rest });

/** Takes Fanwire's own details and those of back ends, which need no more than a target and data. */
export function parsePublication(detail: unknown, envelope: Envelope): Publication {
  expectShallow(detail);
  const raw = parseObject('detail to be an object', detail);
  expectFields('detail', raw, ['topic', 'to', 'data', 'key', 'messageId', 'publishedAt', 'publisher']);
  const target = parseTarget(raw.topic, raw.to);
  const key = parseKey(raw.key);
  return {
    target,
    data: parseData(raw.data),
    messageId: parseOptionalString('messageId', raw.messageId) ?? messageIdOf(target, key, envelope.id),
    publishedAt: parseOptionalString('publishedAt', raw.publishedAt) ?? envelope.time,
    publisher: parsePublisher(raw.publisher),
  };
}

/** A message published again with the same key gets the same id, which is how a receiver knows it. */
export function messageIdOf(target: Target, key: string | undefined, newId: string): string {
  if (key === undefined) return newId;
  return createHash('sha256')
    .update(`${JSON.stringify(target)}\n${key}`)
    .digest('base64url')
    .slice(0, 22);
}

export const toMessageFrame = ({
  target,
  data,
  messageId,
  publishedAt,
  publisher,
}: Publication): MessageFrame => ({
  type: 'message',
  ...('topic' in target && { topic: target.topic }),
  messageId,
  publishedAt,
  publisher,
  data,
});

const encodeTarget = (target: Target): object => {
  if ('topic' in target) return target;
  return { to: 'everyone' in target ? 'everyone' : target };
};

function parseTarget(topic: unknown, to: unknown): Target {
  if ((topic === undefined) === (to === undefined)) {
    throw badRequest('detail to have either topic or to', { topic, to });
  }
  if (topic !== undefined) return { topic: parseTopic(topic) };
  return to === 'everyone' ? { everyone: true } : parseRecipient(to);
}

function parsePublisher(value: unknown): Publisher {
  if (value === undefined) return {};
  const raw = parseObject('publisher to be an object', value);
  expectFields('publisher', raw, ['connectionId', 'userId']);
  const connectionId = parseOptionalString('publisher.connectionId', raw.connectionId);
  const userId = parseOptionalString('publisher.userId', raw.userId);
  return { ...(connectionId !== undefined && { connectionId }), ...(userId !== undefined && { userId }) };
}

const STRING_LENGTH_MAX = 128;

function parseOptionalString(what: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length < 1 || value.length > STRING_LENGTH_MAX) {
    throw badRequest(`${what} to be a string of 1 to ${STRING_LENGTH_MAX} characters`, value);
  }
  return value;
}
