import { badRequest, ClientError, ErrorCode } from './errors.ts';
import { DATA_BYTES_MAX, type Dropped, type Position, type Publisher, type Recipient } from './frames.ts';
import { bytesOf, type DataJson, toQueueJson } from './json.ts';
import { keepsHistory, type Namespaces, namespaceOf } from './namespaces.ts';
import {
  expectFields,
  parseData,
  parseExcept,
  parseFlag,
  parseInteger,
  parseKey,
  parseMaxAge,
  parseMessages,
  parseObject,
  parsePosition,
  parseRecipient,
  parseTopics,
  parseVersion,
} from './parse.ts';
import type { Topic } from './topic.ts';

/** The `DetailType` of an event that publishes, from a client or a back end. */
export const PUBLISH_DETAIL_TYPE = 'fanwire.publish';

export type Target = { readonly topic: Topic } | Recipient | { readonly everyone: true };

/** Data under the id that its message gets, unless it has a key: then the key and the target decide. */
export interface Payload {
  readonly data: DataJson;
  readonly messageId: string;
  readonly key?: string;
  /** See `MessageFields`. */
  readonly version?: number;
  /** The version is the newest, whatever there was. Only back ends may say so. */
  readonly reset?: true;
}
/** The connection that asked for a receipt, and the id of the command that the message came with. */
export interface ReceiptTo {
  readonly connectionId: string;
  readonly id?: string;
}

/** Where a message is in the log of its topic. */
export type LoggedPlace = LoggedPosition | Dropped;
interface LoggedPosition extends Position {
  /** An earlier publication with its key has brought it there. */
  readonly again?: true;
  /** An offset that was allocated for it in vain, and has no message. */
  readonly unused?: number;
}
/** That the publish route has written messages to their logs. */
interface Logged {
  /** The table that the logs are in. In an event that was forwarded from another deployment it is not this one's. */
  readonly table: string;
  /** By target, and then by payload; null for a target that keeps no history. */
  readonly places: readonly (readonly LoggedPlace[] | null)[];
}

/**
 * What the `Detail` of one `fanwire.publish` event says, from a client or a back end: messages that go, in order, to
 * each of the targets.
 */
export interface Publication {
  readonly targets: readonly Target[];
  readonly payloads: readonly Payload[];
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
  /** In seconds. */
  readonly maxAge?: number;
  /** Connections that do not get it. */
  readonly except?: readonly string[];
  readonly receipt?: ReceiptTo;
  readonly logged?: Logged;
}

/** What an EventBridge event has that a detail may leave out. */
export interface Envelope {
  readonly id: string;
  /** ISO 8601, in whole seconds. */
  readonly time: string;
}

const ENVELOPE_TIME_RESOLUTION_MS = 1_000;
/** Messages that one event may hold. */
const PAYLOADS_MAX = 100;

/** In the simplest form that says it, because people match events with rules of their own. */
export function encodePublication({ targets, payloads, ...rest }: Publication): string {
  const messages = payloads.map(({ data, ...more }) => `"data":${data},${membersOf(more)}`);
  const content =
    messages.length === 1 ? messages[0] : `"messages":[${messages.map((each) => `{${each}}`).join(',')}]`;
  return `{${membersOf(encodeTargets(targets))},${content},${membersOf(rest)}}`;
}

/** What stands between the braces of an object, of which no one here is empty. */
const membersOf = (object: object): string => toQueueJson(object).slice(1, -1);

const PAYLOAD = ['data', 'key', 'messageId', 'version', 'reset'];
const FIELDS = ['topic', 'topics', 'to', 'messages', ...PAYLOAD];
const OPTIONS = ['publishedAt', 'publisher', 'maxAge', 'except', 'receipt', 'logged'];

/**
 * Takes Fanwire's own details and those of back ends, which need no more than a target and data. `text` is what the
 * detail was read from.
 */
export function parsePublication(detail: unknown, text: string, envelope: Envelope): Publication {
  const raw = parseObject('detail to be an object', detail);
  expectFields('detail', raw, [...FIELDS, ...OPTIONS]);
  const targets = parseTargets(raw);
  const payloads = parsePayloads(raw, text, envelope.id);
  return {
    targets,
    payloads,
    publishedAt: parseTime(raw.publishedAt) ?? envelope.time,
    publisher: parsePublisher(raw.publisher),
    ...parseMaxAge(raw.maxAge),
    ...parseExcept(raw.except),
    ...parseReceipt(raw.receipt),
    ...parseLogged(raw.logged, targets.length, payloads.length),
  };
}

/** What the namespaces of its topics forbid. */
export function expectAllowed({ targets, payloads, receipt }: Publication, namespaces: Namespaces): void {
  for (const target of targets) {
    const namespace = 'topic' in target ? namespaceOf(target.topic, namespaces) : undefined;
    if (!(namespace && keepsHistory(namespace))) {
      const what = receipt
        ? 'a receipt'
        : payloads.some(({ version }) => version !== undefined) && 'a version';
      if (what) throw badRequest(`${what} only of messages to topics that keep history`, target);
    }
    if (namespace && namespace.dataBytesMax < DATA_BYTES_MAX) {
      for (const { data } of payloads) expectBytes(data, namespace.dataBytesMax);
    }
  }
}

function expectBytes(data: DataJson, bytesMax: number): void {
  const bytes = bytesOf(data);
  if (bytes <= bytesMax) return;
  throw new ClientError(
    ErrorCode.tooLarge,
    `expected at most ${bytesMax} bytes of data in this namespace, got ${bytes}`,
  );
}

/** When the messages of a publication are too late; `undefined` means never. It may not have come by the bus yet. */
export function expiryOf({ publishedAt, maxAge }: Publication, envelope?: Envelope): number | undefined {
  if (maxAge === undefined) return undefined;
  // The bus cuts milliseconds off: a message must not be too late because of that.
  const lost = publishedAt === envelope?.time ? ENVELOPE_TIME_RESOLUTION_MS : 0;
  return Date.parse(publishedAt) + lost + maxAge * 1000;
}

function encodeTargets(targets: readonly Target[]): object {
  const [target] = targets;
  if (targets.length > 1) return { topics: targets.flatMap((each) => ('topic' in each ? each.topic : [])) };
  if (!target || 'topic' in target) return { ...target };
  return { to: 'everyone' in target ? 'everyone' : target };
}

type Fields = Readonly<Record<string, unknown>>;

function parseTargets({ topic, topics, to }: Fields): Target[] {
  if (to === undefined && (topic !== undefined || topics !== undefined)) {
    return parseTopics(topic, topics).map((topic) => ({ topic }));
  }
  if (to === undefined || topic !== undefined || topics !== undefined) {
    throw badRequest('detail to have one of topic, topics and to', { topic, topics, to });
  }
  return [to === 'everyone' ? { everyone: true } : parseRecipient(to)];
}

function parsePayloads(raw: Fields, text: string, eventId: string): Payload[] {
  if (raw.messages === undefined) return [parsePayload(raw, text, eventId)];
  for (const name of PAYLOAD) {
    if (raw[name] !== undefined) throw badRequest(`${name} in each of the messages`, `${name} beside them`);
  }
  return parseMessages(raw.messages, text, PAYLOADS_MAX, PAYLOAD).map((message, index) =>
    parsePayload(message.raw, message.text, `${eventId}.${index}`),
  );
}

function parsePayload(raw: Fields, text: string, newId: string): Payload {
  const key = parseKey(raw.key);
  return {
    data: parseData(text),
    messageId: parseOptionalString('messageId', raw.messageId) ?? newId,
    ...(key !== undefined && { key }),
    ...parseVersion(raw.version),
    ...parseReset(raw),
  };
}

function parseReset({ version, reset }: Fields): { readonly reset?: true } {
  if (!parseFlag('reset', reset)) return {};
  if (version === undefined) throw badRequest('reset only with a version', version);
  return { reset: true };
}

function parseReceipt(value: unknown): { readonly receipt?: ReceiptTo } {
  if (value === undefined) return {};
  const raw = parseObject('receipt to be {"connectionId":…,"id":…}', value);
  expectFields('receipt', raw, ['connectionId', 'id']);
  const to = parseRecipient({ connectionId: raw.connectionId }) as { readonly connectionId: string };
  const id = parseOptionalString('receipt.id', raw.id);
  return { receipt: { ...to, ...(id !== undefined && { id }) } };
}

function parseLogged(value: unknown, targets: number, payloads: number): { readonly logged?: Logged } {
  if (value === undefined) return {};
  const raw = parseObject('logged to be {"table":…,"places":…}', value);
  expectFields('logged', raw, ['table', 'places']);
  const table = parseOptionalString('logged.table', raw.table);
  if (table === undefined) throw badRequest('logged.table to be the name of a table', table);
  const places = parseEach('logged.places for each target', raw.places, targets, (ofTarget) =>
    ofTarget === null
      ? null
      : parseEach('the places of a target for each payload', ofTarget, payloads, parsePlace),
  );
  return { logged: { table, places } };
}

/** A list of just so many items. */
function parseEach<T>(what: string, value: unknown, count: number, parse: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length !== count) throw badRequest(`one of ${what}`, value);
  return value.map(parse);
}

function parsePlace(value: unknown): LoggedPlace {
  const { again, unused, dropped, ...position } = parseObject('every place to be an object', value);
  if (dropped === 'stale' && Object.keys(position).length === 0) return { dropped };
  if (dropped !== undefined || (again !== undefined && again !== true)) {
    throw badRequest('a place to be a position, or dropped because it is stale', value);
  }
  return {
    ...parsePosition('a place', position),
    ...(again && { again }),
    ...(unused !== undefined && { unused: parseInteger('unused', unused, 1) }),
  };
}

function parsePublisher(value: unknown): Publisher {
  if (value === undefined) return {};
  const raw = parseObject('publisher to be an object', value);
  expectFields('publisher', raw, ['connectionId', 'userId']);
  const connectionId = parseOptionalString('publisher.connectionId', raw.connectionId);
  const userId = parseOptionalString('publisher.userId', raw.userId);
  return { ...(connectionId !== undefined && { connectionId }), ...(userId !== undefined && { userId }) };
}

function parseTime(value: unknown): string | undefined {
  const time = parseOptionalString('publishedAt', value);
  if (time !== undefined && !isTime(time)) {
    throw badRequest('publishedAt to be a time in ISO 8601, like 2026-11-20T05:33:00.123Z', time);
  }
  return time;
}

const TIME =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Whether every subscriber can read it, whatever language it is written in (RFC 3339); `Date.parse` takes much more. */
export function isTime(text: string): boolean {
  const [, day] = TIME.exec(text) ?? [];
  // Of a day that its month has not, Date.parse makes another.
  return day !== undefined && new Date(Date.parse(day)).toISOString().startsWith(day);
}

const STRING_LENGTH_MAX = 128;

function parseOptionalString(what: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length < 1 || value.length > STRING_LENGTH_MAX) {
    throw badRequest(`${what} to be a string of 1 to ${STRING_LENGTH_MAX} characters`, value);
  }
  // See `parseKey`: in a table, all halves of a pair are one.
  if (!value.isWellFormed())
    throw badRequest(`${what} to be well-formed Unicode, without half a pair`, value);
  return value;
}
