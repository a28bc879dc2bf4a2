import type {
  Acks,
  AnyAckFrame,
  ClosingFrame,
  ErrorFrame,
  GatewayFrame,
  LogLoss,
  LogPage,
  MessageFrame,
  MessagesFrame,
  NoLog,
  ReceiptFrame,
  ServerFrame,
} from '../protocol/acks.ts';
import type {
  Command,
  Dropped,
  LoggedMessage,
  Place,
  Position,
  Publisher,
  Skipped,
  TopicPosition,
  WireMessage,
} from '../protocol/frames.ts';
import { isRecord } from '../protocol/json.ts';
import { isPatternName, isTopicName } from '../protocol/topic.ts';
import { FanwireError, isServerCode } from './errors.ts';
import {
  both,
  either,
  type Guard,
  is,
  isAbsent,
  isCountFrom,
  isPresent,
  isString,
  listOf,
  optional,
  shaped,
} from './guards.ts';

/** So much of a frame that is none is handed on with the error. */
const SHOWN_LENGTH_MAX = 1000;

/**
 * The one place where frames are looked at, because others may post to this connection, too, if they have the right to:
 * what comes may be anything, and only what has the shape of the protocol goes further in. Gives nothing for a frame of
 * a type that is not known yet. Throws `bad_frame`.
 */
export function parseServerFrame(data: unknown): ServerFrame | undefined {
  if (!isString(data)) throw badFrame('a frame of text', 'a binary one');
  const frame = fromJson(data);
  if (isServerFrame(frame)) return frame;
  if (isRecord(frame) && isString(frame.type) && !isNameIn(FRAMES, frame.type)) return undefined;
  throw badFrame('a frame of Fanwire', 'other JSON', data);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badFrame('a frame of JSON', 'other text', text);
  }
}

const badFrame = (expected: string, got: string, text?: string): FanwireError =>
  new FanwireError('bad_frame', `expected ${expected}, got ${got}`, {
    cause: text?.slice(0, SHOWN_LENGTH_MAX),
  });

const isNameIn = <T extends object>(names: T, name: string): name is keyof T & string =>
  Object.hasOwn(names, name);

const isOffset = isCountFrom(0);
/** Offset 0 is before the first message. */
const isMessageOffset = isCountFrom(1);
/** Closed sets grow: a server of tomorrow may have another reason. */
const isReason = isString as Guard<LogLoss['reason']>;
/** The server takes what RFC 3339 says, which Date.parse reads. */
const isTime = (value: unknown): value is string => isString(value) && Number.isFinite(Date.parse(value));

const isTopicPosition = shaped<TopicPosition>({ topic: isTopicName, epoch: isString, offset: isOffset });
const isStored = shaped<Position & { dropped?: never }>({
  epoch: isString,
  offset: isMessageOffset,
  dropped: isAbsent,
});
const isDropped = shaped<Dropped & Partial<Record<keyof Position, never>>>({
  dropped: isString as Guard<Dropped['dropped']>,
  epoch: isAbsent,
  offset: isAbsent,
});
const isPlace: Guard<Place> = either(isStored, isDropped);
const isUnplaced = shaped<Partial<Record<keyof Position | keyof Dropped, never>>>({
  epoch: isAbsent,
  offset: isAbsent,
  dropped: isAbsent,
});

const isPublisher = shaped<Publisher>({ connectionId: optional(isString), userId: optional(isString) });
const isWireMessage = shaped<WireMessage>({
  messageId: isString,
  publishedAt: isTime,
  publisher: isPublisher,
  data: isPresent,
  offset: optional(isMessageOffset),
});
const isSkipped = shaped<Skipped>({ offset: isMessageOffset, skipped: is(true) });
/** What messages in one frame or page have in common stands beside them, and is not to be overridden in one of them. */
const isOneOfMany = shaped<{ topic?: never; epoch?: never; type?: never }>({
  topic: isAbsent,
  epoch: isAbsent,
  type: isAbsent,
});
const isLogged: Guard<LoggedMessage> = both(
  both(isWireMessage, isOneOfMany),
  shaped<Pick<LoggedMessage, 'offset'>>({ offset: isMessageOffset }),
);

const isLogPage = shaped<LogPage>({
  epoch: isString,
  offset: isOffset,
  messages: optional(listOf(isLogged)),
  more: optional(is(true)),
  recovered: optional(is(true)),
  reason: isAbsent,
});
const isEmpty = (value: unknown): value is readonly [] => Array.isArray(value) && value.length === 0;
const isLogLoss = shaped<LogLoss>({
  epoch: isString,
  offset: isOffset,
  recovered: is(false),
  reason: isReason,
  messages: optional(isEmpty),
  more: isAbsent,
});
const isNoLog = shaped<NoLog>({
  epoch: isAbsent,
  offset: isAbsent,
  recovered: optional(is(false)),
  reason: optional(isReason as Guard<'no_history'>),
});
const isLog = either(isLogPage, isLogLoss);

const isPublishedOne = both(
  shaped<{ messageId: string; messageIds?: never }>({ messageId: isString, messageIds: isAbsent }),
  either(isPlace, isUnplaced),
);
const isPublishedAll = shaped<Extract<Acks['publish'], { readonly messageIds: readonly string[] }>>({
  messageIds: listOf(isString),
  places: optional(listOf(either(isPlace, is(null)))),
  messageId: isAbsent,
});
const isPublished = (value: unknown): value is Acks['publish'] =>
  isPublishedOne(value) ||
  (isPublishedAll(value) && (!value.places || value.places.length === value.messageIds.length));

/** By `action`: what an ack holds besides `type`, `action` and `id`. */
const ACKS: { readonly [A in keyof Acks]: Guard<Acks[A]> } = {
  subscribe: both(
    shaped<Pick<Acks['subscribe'], 'topic' | 'expiresAt'>>({
      topic: isPatternName,
      expiresAt: optional(isTime),
    }),
    either(isLog, isNoLog),
  ),
  unsubscribe: shaped<Acks['unsubscribe']>({ topic: isPatternName }),
  publish: isPublished,
  send: shaped<Acks['send']>({ messageId: isString }),
  history: both(shaped<Pick<Acks['history'], 'topic'>>({ topic: isTopicName }), isLog),
  whoami: shaped<Acks['whoami']>({
    connectionId: isString,
    userId: optional(isString),
    endpoint: isString,
  }),
  ping: shaped<Acks['ping']>({
    behind: optional(listOf(isTopicPosition)),
    rollover: optional(is(true)),
  }),
  authenticate: shaped<Acks['authenticate']>({ expiresAt: isTime }),
};

const isCommand = shaped<Command>({ id: optional(isString) });

const isAck = (frame: unknown): frame is AnyAckFrame =>
  isCommand(frame) &&
  'action' in frame &&
  isString(frame.action) &&
  isNameIn(ACKS, frame.action) &&
  ACKS[frame.action](frame);

const isError = shaped<ErrorFrame>({
  type: is('error'),
  id: optional(isString),
  code: isServerCode,
  message: isString,
  retryAfterMs: optional(isOffset),
});

const isReceipt = both(
  shaped<Pick<ReceiptFrame, 'type' | 'id' | 'messageId' | 'topic'>>({
    type: is('receipt'),
    id: optional(isString),
    messageId: isString,
    topic: isTopicName,
  }),
  isPlace,
);

const isClosing = shaped<ClosingFrame>({
  type: is('closing'),
  code: isServerCode as Guard<ClosingFrame['code']>,
  reconnect: either(is(true), is(false)),
  message: isString,
});

type Source = Pick<MessagesFrame, 'topic' | 'epoch'>;
const isSource: Guard<Source> = either(
  shaped<Source>({ topic: isTopicName, epoch: optional(isString) }),
  // Sent to the connection, its user or everyone: only a topic has an epoch.
  shaped<Source>({ topic: isAbsent, epoch: isAbsent }),
);

/** An epoch and an offset come together, or not at all. */
const isEntryOf = (epoch: string | undefined, entry: unknown): boolean =>
  isRecord(entry) &&
  (entry.offset === undefined) === (epoch === undefined) &&
  (entry.skipped === undefined ? isWireMessage(entry) : isSkipped(entry));

const isMessage = (frame: unknown): frame is MessageFrame => isSource(frame) && isEntryOf(frame.epoch, frame);

const isMessages = (frame: unknown): frame is MessagesFrame =>
  isSource(frame) &&
  'messages' in frame &&
  Array.isArray(frame.messages) &&
  frame.messages.every((entry) => isOneOfMany(entry) && isEntryOf(frame.epoch, entry));

/** By `type`. */
const FRAMES = {
  ack: isAck,
  error: isError,
  message: isMessage,
  messages: isMessages,
  receipt: isReceipt,
  closing: isClosing,
} as const;

const isGatewayFrame = shaped<GatewayFrame>({ type: isAbsent, message: isString });

const isServerFrame = (frame: unknown): frame is ServerFrame =>
  isRecord(frame) && isString(frame.type)
    ? isNameIn(FRAMES, frame.type) && FRAMES[frame.type](frame)
    : isGatewayFrame(frame);
