import { type MessageFrame, type MessagesFrame, messagesIn, type ReceiptFrame } from '../protocol/acks.ts';
import type { LossReason, Publisher, TopicPosition } from '../protocol/frames.ts';
import { FanwireError, type FanwireErrorCode } from './errors.ts';
import type { Entry } from './stream.ts';

/** A message as an application gets it. */
export interface Message<T = unknown> {
  /** Absent on a message that was sent to this connection, its user or everyone. */
  readonly topic?: string;
  /** The same id is the same message. */
  readonly messageId: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
  readonly data: T;
  /** With `offset`: the position of the message, on topics that keep history. */
  readonly epoch?: string;
  readonly offset?: number;
}

/** What is at an offset of a log: a message, or that there is none for this connection. */
export type LogEntry = Message & Entry;

/** The answer to a command, whichever. */
export interface Ack {
  readonly type: 'ack';
  readonly id?: string;
  /** The rest depends on the action. Of `subscribe` and `history`: */
  readonly epoch?: string;
  readonly offset?: number;
  readonly messages?: readonly object[];
  readonly more?: boolean;
  readonly recovered?: boolean;
  readonly reason?: LossReason;
  /** Of `publish` and `send`: */
  readonly messageId?: string;
  readonly messageIds?: readonly string[];
  /** Of `whoami`: */
  readonly connectionId?: string;
  readonly userId?: string;
  readonly endpoint?: string;
  /** Of `ping`: */
  readonly behind?: readonly TopicPosition[];
  readonly rollover?: boolean;
}

/** An answer that has a part of a log. */
export type Page = Ack & Required<Pick<Ack, 'epoch' | 'offset'>>;

export const isPage = (ack: Ack): ack is Page => ack.epoch !== undefined;

interface ErrorReply {
  readonly type: 'error';
  readonly id?: string;
  readonly code: FanwireErrorCode;
  readonly message: string;
}

/** What API Gateway says for itself: it could not run the command, and does not tell which one. */
interface GatewayFrame {
  readonly type?: undefined;
  readonly message?: unknown;
}

export type Frame = Ack | ErrorReply | MessageFrame | MessagesFrame | ReceiptFrame | GatewayFrame;

/** Whoever may post to this connection may post what they like, so it may be no frame at all. */
export function parseFrame(text: string): Frame {
  try {
    const frame: unknown = JSON.parse(text);
    if (isFrame(frame)) return frame;
  } catch {
    throw new FanwireError('bad_frame', 'expected a frame of JSON, got other text', { cause: text });
  }
  throw new FanwireError('bad_frame', 'expected a frame of Fanwire, got other JSON', { cause: text });
}

/** As far as it takes to be sure that nothing breaks. */
const isFrame = (value: unknown): value is Frame =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  (!('type' in value) || value.type !== 'messages' || ('messages' in value && Array.isArray(value.messages)));

export function toJson(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new FanwireError('bad_request', 'expected data that can be written as JSON', { cause });
  }
}

/** The messages in a live frame. One that is skipped has nothing but its position. */
export const messagesOf = (frame: MessageFrame | MessagesFrame): (Message | LogEntry)[] =>
  messagesIn(frame).map(({ type, ...message }) => message as Message);

/** The entries of a page, as if they had come live. */
export const entriesOf = (topic: string, { epoch, messages = [] }: Page): LogEntry[] =>
  messages.map((message) => ({ topic, epoch, ...message }) as LogEntry);
