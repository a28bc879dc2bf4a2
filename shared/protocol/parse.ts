import type { CommandFields, MessageFields } from './acks.ts';
import { badRequest, ClientError, ErrorCode } from './errors.ts';
import {
  type Action,
  type Command,
  DATA_BYTES_MAX,
  type DeliveryOptions,
  EPOCH_LENGTH_MAX,
  EXCEPT_MAX,
  HISTORY_LIMIT_MAX,
  ID_LENGTH_MAX,
  LEVELS_AROUND_DATA,
  MAX_AGE_SECONDS_MAX,
  NESTING_MAX,
  POSITIONS_MAX,
  type Position,
  PUBLISH_BATCH_MAX,
  REPLAY_MAX,
  type Recipient,
  type Rewind,
  SELF,
  TOKEN_LENGTH_MAX,
  TOPICS_MAX,
  type TopicPosition,
} from './frames.ts';
import { bytesOf, type DataJson, escapedForQueue, isRecord } from './json.ts';
import { elementTexts, isTextDeeperThan, memberText } from './source.ts';
import { type Pattern, parsePattern, parseTopic, type Topic } from './topic.ts';

// Parsers take `unknown` once, at the edge; from there on a frame's shape is known.

type Fields = Readonly<Record<string, unknown>>;

/** The fields of every member of a union, not only those that all have. */
type KeyOf<T> = T extends unknown ? keyof T : never;
/** As it comes: the names are the protocol's, the values may be anything. */
type Raw<T> = { readonly [K in KeyOf<T> | 'action' | 'id']?: unknown };

/** What a command may hold besides `action` and `id`. Records, so that a field that is missing here is a type error. */
const FIELDS: { readonly [A in Exclude<Action, 'publish'>]: Record<KeyOf<CommandFields[A]>, true> } = {
  subscribe: { topic: true, rewind: true, position: true, grant: true },
  unsubscribe: { topic: true },
  send: { to: true, data: true, maxAge: true },
  history: { topic: true, after: true, before: true, limit: true, reverse: true, grant: true },
  authenticate: { token: true },
  whoami: {},
  ping: { positions: true },
};
const MESSAGE: Record<KeyOf<MessageFields>, true> = {
  topic: true,
  topics: true,
  data: true,
  key: true,
  family: true,
  maxAge: true,
  except: true,
  version: true,
  receipt: true,
};

// Frames as the routes get them. Where a field is another than on the wire, it is written out here.

export interface SubscriptionFrame extends Command {
  readonly topic: Pattern;
}
export interface SubscribeFrame extends SubscriptionFrame, Omit<CommandFields['subscribe'], 'topic'> {}
export interface HistoryFrame extends Command, Omit<CommandFields['history'], 'topic' | 'limit' | 'reverse'> {
  readonly topic: Topic;
  readonly limit: number;
  readonly reverse: boolean;
}
export interface AuthenticateFrame extends Command {
  readonly token: string;
}
export interface PingFrame extends Command {
  /** Empty if the command had none. */
  readonly positions: readonly (TopicPosition & { readonly topic: Topic })[];
}
/** One message to publish: `topic` and `topics` are one list, and a receipt is wanted or not mentioned. */
interface Outgoing extends DeliveryOptions {
  readonly topics: readonly Topic[];
  readonly data: DataJson;
  readonly key?: string;
  readonly family?: string;
  readonly version?: number;
  readonly receipt?: true;
}
/** Always a list of messages, however the client wrote it. */
export interface PublishFrame extends Command {
  readonly messages: readonly Outgoing[];
  /** The client used `messages` or `topics`, so the reply lists message ids too. */
  readonly batch: boolean;
}
export interface SendFrame extends Command, Omit<CommandFields['send'], 'data'> {
  readonly data: DataJson;
}

/** Messages in one page of history, if a client does not say how many. */
const HISTORY_LIMIT = 50;

/** A frame's object. `noteId` is told of its id before anything is found wrong with the rest. */
export function parseJsonObject(text: string, noteId: (id: unknown) => void = () => {}): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest('a frame of JSON', text);
  }
  if (isRecord(value)) noteId(value.id);
  expectShallow('JSON', text, LEVELS_AROUND_DATA + NESTING_MAX);
  return parseObject('a JSON object', value);
}

/** Checked before anything else, because no deeper value can be written out, not even in an error message. */
export function expectShallow(what: string, json: string, levels: number): void {
  if (isTextDeeperThan(levels, json)) {
    throw new ClientError(ErrorCode.badRequest, `expected ${what} of at most ${levels} levels, got more`);
  }
}

/** A command with a topic and no other argument. */
export const parseSubscription =
  (action: 'unsubscribe') =>
  (raw: Raw<CommandFields['unsubscribe']>): SubscriptionFrame => {
    expectFieldsOf(action, raw);
    return { ...parseCommand(raw), topic: parsePattern(raw.topic) };
  };

export function parseSubscribe(raw: Raw<CommandFields['subscribe']>): SubscribeFrame {
  expectFieldsOf('subscribe', raw);
  if (raw.rewind !== undefined && raw.position !== undefined) {
    throw badRequest('either rewind or position', { rewind: raw.rewind, position: raw.position });
  }
  return {
    ...parseCommand(raw),
    topic: parsePattern(raw.topic),
    ...(raw.rewind !== undefined && { rewind: parseRewind(raw.rewind) }),
    ...(raw.position !== undefined && { position: parsePosition('position', raw.position) }),
    ...parseGrant(raw.grant),
  };
}

export function parseHistory(raw: Raw<CommandFields['history']>): HistoryFrame {
  expectFieldsOf('history', raw);
  const { limit = HISTORY_LIMIT, reverse = false } = raw;
  if (typeof reverse !== 'boolean') throw badRequest('reverse to be true or false', reverse);
  if (raw[reverse ? 'after' : 'before'] !== undefined) {
    const { after, before } = raw;
    throw badRequest('before only in reverse and after only forward', { reverse, after, before });
  }
  return {
    ...parseCommand(raw),
    topic: parseTopic(raw.topic),
    limit: parseInteger('limit', limit, 1, HISTORY_LIMIT_MAX),
    reverse,
    ...(raw.after !== undefined && { after: parsePosition('after', raw.after) }),
    ...(raw.before !== undefined && { before: parseInteger('before', raw.before, 1) }),
    ...parseGrant(raw.grant),
  };
}

export function parseAuthenticate(raw: Raw<CommandFields['authenticate']>): AuthenticateFrame {
  expectFieldsOf('authenticate', raw);
  return { ...parseCommand(raw), token: parseToken('token', raw.token) };
}

export function parsePing(raw: Raw<CommandFields['ping']>): PingFrame {
  expectFieldsOf('ping', raw);
  const parse = (value: unknown): PingFrame['positions'][number] => {
    const { topic, ...position } = parseObject('every position to be an object', value);
    return { topic: parseTopic(topic), ...parsePosition('every position', position) };
  };
  const positions =
    raw.positions === undefined ? [] : parseList('positions', raw.positions, POSITIONS_MAX, parse);
  return { ...parseCommand(raw), positions };
}

/** `text` is what the frame was read from. */
export function parsePublish(raw: Raw<CommandFields['publish']>, text: string): PublishFrame {
  const fields = Object.keys(MESSAGE);
  if (raw.messages === undefined) {
    expectFields('publish', raw, ['action', 'id', ...fields]);
    return { ...parseCommand(raw), messages: [parseOutgoing(raw, text)], batch: raw.topics !== undefined };
  }
  expectFields('publish with messages', raw, ['action', 'id', 'messages']);
  const messages = parseMessages(raw.messages, text, PUBLISH_BATCH_MAX, fields).map((message) =>
    parseOutgoing(message.raw, message.text),
  );
  return { ...parseCommand(raw), messages: withinDataLimit(messages), batch: true };
}

export const parseSend = (raw: Raw<CommandFields['send']>, text: string): SendFrame => {
  expectFieldsOf('send', raw);
  return {
    ...parseCommand(raw),
    to: parseRecipient(raw.to),
    data: parseData(text),
    ...parseMaxAge(raw.maxAge),
  };
};

/** A command without arguments. */
export const parseBare =
  (action: 'whoami') =>
  (raw: Raw<CommandFields['whoami']>): Command => {
    expectFieldsOf(action, raw);
    return parseCommand(raw);
  };

export function parseRecipient(value: unknown): Recipient {
  const to = parseObject('to to be {"connectionId":…} or {"userId":…}', value);
  expectFields('to', to, ['connectionId', 'userId']);
  if ((to.connectionId === undefined) === (to.userId === undefined)) {
    throw badRequest('to to name either a connectionId or a userId', value);
  }
  return to.userId === undefined
    ? { connectionId: parseName('to.connectionId', to.connectionId, CONNECTION_ID) }
    : { userId: parseUserId(to.userId) };
}

export const parseUserId = (value: unknown): string => parseName('userId', value, USER_ID);

export function parseKey(value: unknown, what = 'key'): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length < 1 || value.length > ID_LENGTH_MAX) {
    throw badRequest(`${what} to be a string of 1 to ${ID_LENGTH_MAX} characters`, value);
  }
  // All halves of a pair look alike in UTF-8, so that keys which differ in one would be the same key.
  if (!value.isWellFormed())
    throw badRequest(`${what} to be well-formed Unicode, without half a pair`, value);
  return value;
}

/** The published data in the text of what has it: any JSON value, null included, as it is written there. */
export function parseData(text: string): DataJson {
  const data = memberText(text, 'data');
  if (data === undefined) throw badRequest('data to be any JSON value', data);
  // The same for a message alone and for one of several, which are a list and a level deeper.
  expectShallow('data', data, NESTING_MAX);
  const message = { data: escapedForQueue(data) as DataJson };
  withinDataLimit([message]);
  return message.data;
}

/** What an object with this text has as `messages`: each of them with its own text, and with no other fields than these. */
export function parseMessages(
  value: unknown,
  text: string,
  countMax: number,
  fields: readonly string[],
): { readonly raw: Fields; readonly text: string }[] {
  const messages = parseList('messages', value, countMax, (item) => {
    const message = parseObject('every message to be an object', item);
    expectFields('a message', message, fields);
    return message;
  });
  const texts = elementTexts(memberText(text, 'messages') ?? '');
  return messages.map((raw, index) => ({ raw, text: texts[index] ?? '' })); // one for each
}

/** Fields beyond these are refused, because they are most likely a typo of one of them. */
export function expectFields(what: string, raw: object, names: readonly string[]): void {
  for (const name of Object.keys(raw)) {
    if (!names.includes(name)) throw badRequest(`${what} to have no fields but ${names.join(', ')}`, name);
  }
}

const expectFieldsOf = (action: keyof typeof FIELDS, raw: object): void =>
  expectFields(action, raw, ['action', 'id', ...Object.keys(FIELDS[action])]);

export function parseObject(expected: string, value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest(expected, value);
  return value as Fields;
}

const USER_ID = /^[A-Za-z0-9_.~:@-]+$/;
const CONNECTION_ID = /^[A-Za-z0-9_=-]+$/;

function parseName(what: string, value: unknown, characters: RegExp): string {
  if (typeof value !== 'string' || value.length > ID_LENGTH_MAX || !characters.test(value)) {
    throw badRequest(`${what} to be 1 to ${ID_LENGTH_MAX} characters matching ${characters.source}`, value);
  }
  return value;
}

function parseCommand({ id }: { readonly id?: unknown }): Command {
  if (id === undefined) return {};
  if (typeof id !== 'string' || id.length > ID_LENGTH_MAX) {
    throw badRequest(`id to be a string of at most ${ID_LENGTH_MAX} characters`, id);
  }
  return { id };
}

function parseOutgoing(raw: Raw<MessageFields>, text: string): Outgoing {
  const key = parseKey(raw.key);
  const family = parseKey(raw.family, 'family');
  return {
    topics: parseTopics(raw.topic, raw.topics),
    data: parseData(text),
    ...(key !== undefined && { key }),
    ...(family !== undefined && { family }),
    ...parseMaxAge(raw.maxAge),
    ...(raw.except === SELF ? { except: SELF } : parseExcept(raw.except, `"${SELF}" or an array`)),
    ...parseVersion(raw.version),
    ...(parseFlag('receipt', raw.receipt) && { receipt: true }),
  };
}

const parseGrant = (value: unknown): { readonly grant?: string } =>
  value === undefined ? {} : { grant: parseToken('grant', value) };

/** Nothing of it is told: what an error says may end up in a log. */
function parseToken(what: string, value: unknown): string {
  if (typeof value === 'string' && value.length >= 1 && value.length <= TOKEN_LENGTH_MAX) return value;
  const got = typeof value === 'string' ? `one of ${value.length}` : 'something else';
  throw new ClientError(
    ErrorCode.badRequest,
    `expected ${what} to be a string of 1 to ${TOKEN_LENGTH_MAX} characters, got ${got}`,
  );
}

export const parseVersion = (value: unknown): { readonly version?: number } =>
  value === undefined ? {} : { version: parseInteger('version', value, 1) };

export function parseFlag(what: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw badRequest(`${what} to be true or false`, value);
  return value === true;
}

export function parseInteger(
  what: string,
  value: unknown,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw badRequest(`${what} to be a whole number from ${min} to ${max}`, value);
  }
  return value;
}

export function parsePosition(what: string, value: unknown): Position {
  const raw = parseObject(`${what} to be {"epoch":…,"offset":…}`, value);
  expectFields(what, raw, ['epoch', 'offset']);
  const { epoch } = raw;
  if (typeof epoch !== 'string' || epoch.length < 1 || epoch.length > EPOCH_LENGTH_MAX) {
    throw badRequest(`epoch to be a string of 1 to ${EPOCH_LENGTH_MAX} characters`, epoch);
  }
  return { epoch, offset: parseInteger('offset', raw.offset, 0) };
}

function parseRewind(value: unknown): Rewind {
  if (typeof value === 'number') return parseInteger('rewind', value, 1, REPLAY_MAX);
  const raw = parseObject('rewind to be a number of messages or {"seconds":…}', value);
  expectFields('rewind', raw, ['seconds']);
  return { seconds: parseInteger('seconds', raw.seconds, 1, MAX_AGE_SECONDS_MAX) };
}

/** The topics of a message: `topic` names one, `topics` several. */
export function parseTopics(topic: unknown, topics: unknown): Topic[] {
  if (topics === undefined) return [parseTopic(topic)];
  if (topic !== undefined) throw badRequest('either topic or topics', { topic, topics });
  const parsed = parseList('topics', topics, TOPICS_MAX, parseTopic);
  return [...new Set(parsed)];
}

export function parseMaxAge(value: unknown): Pick<DeliveryOptions, 'maxAge'> {
  if (value === undefined) return {};
  if (typeof value !== 'number' || !(value > 0 && value <= MAX_AGE_SECONDS_MAX)) {
    throw badRequest(`maxAge to be a number of seconds above 0 and up to ${MAX_AGE_SECONDS_MAX}`, value);
  }
  return { maxAge: value };
}

/** `self` is taken by whoever knows the publisher, and is `expected` there, too. */
export function parseExcept(value: unknown, expected = 'an array'): { readonly except?: readonly string[] } {
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw badRequest(`except to be ${expected}`, value);
  const except = parseList('except', value, EXCEPT_MAX, (connectionId) =>
    parseName('except', connectionId, CONNECTION_ID),
  );
  return { except: [...new Set(except)] }; // a set, which DynamoDB takes without repetitions only
}

export function parseList<T>(
  what: string,
  value: unknown,
  lengthMax: number,
  parse: (value: unknown, index: number) => T,
): T[] {
  if (!Array.isArray(value)) throw badRequest(`${what} to be an array`, value);
  if (value.length < 1 || value.length > lengthMax) {
    throw badRequest(`1 to ${lengthMax} ${what}`, value.length);
  }
  return value.map(parse);
}

function withinDataLimit<M extends { readonly data: DataJson }>(messages: readonly M[]): readonly M[] {
  const bytes = messages.reduce((sum, { data }) => sum + bytesOf(data), 0);
  if (bytes > DATA_BYTES_MAX) {
    throw new ClientError(
      ErrorCode.tooLarge,
      `expected at most ${DATA_BYTES_MAX} bytes of data in one frame, got ${bytes}`,
    );
  }
  return messages;
}
