import type { ErrorCode } from './errors.ts';
import type { Pattern, Topic } from './topic.ts';

/** The wire protocol: what a client may send, what it gets, and the limits of both. */

/** API Gateway takes messages of 128 KB in both directions; 2 KB are left for what surrounds the data. */
export const DATA_BYTES_MAX = 126 * 1024;
/** API Gateway closes a connection that sends a larger WebSocket frame, and a browser cannot split one. */
export const COMMAND_BYTES_MAX = 32 * 1024 - 1;
/** One PutEvents takes 10 entries. */
export const PUBLISH_BATCH_MAX = 10;
/** Topics that one message may be published to. */
export const TOPICS_MAX = 100;
/** Connections that a message may leave out. */
export const EXCEPT_MAX = 10;
/** Messages that one `subscribe` replays at most. */
export const REPLAY_MAX = 300;
/** Messages in one page of history. */
export const HISTORY_LIMIT_MAX = 100;
/** On topics that keep history a key published again within this time is the same message. */
export const KEY_WINDOW_MS = 5 * 60_000;
/** Positions that one `ping` compares. */
export const POSITIONS_MAX = 100;
/** A message that may be a day late has no hurry at all. */
export const MAX_AGE_SECONDS_MAX = 86_400;
export const ID_LENGTH_MAX = 128;
/** EventBridge takes 1,000 levels with its envelope; JSON.stringify overflows the stack at a few thousand. */
export const NESTING_MAX = 500;

export const Action = {
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  publish: 'publish',
  send: 'send',
  history: 'history',
  whoami: 'whoami',
  ping: 'ping',
} as const;
export type Action = (typeof Action)[keyof typeof Action];

type Fields = Readonly<Record<string, unknown>>;

/** What every command has: the client's correlation id, echoed in the reply. */
export interface Command {
  readonly id?: string;
}
export interface SubscriptionFrame extends Command {
  readonly topic: Pattern;
}
/** A place in the log of a topic that keeps history: just after the message with that offset. */
export interface Position {
  /** Names the incarnation of the log; offsets of another mean nothing. */
  readonly epoch: string;
  /** 0 is before the first message. */
  readonly offset: number;
}
/** So many messages, or those of the last so many seconds. */
export type Rewind = number | { readonly seconds: number };
export interface SubscribeFrame extends SubscriptionFrame {
  readonly rewind?: Rewind;
  readonly position?: Position;
}
export interface HistoryFrame extends Command {
  readonly topic: Topic;
  readonly limit: number;
  readonly reverse: boolean;
  /** Forward only: the page begins just after it. */
  readonly after?: Position;
  /** In reverse only: the page begins just below this offset. */
  readonly before?: number;
}
export interface TopicPosition extends Position {
  readonly topic: Topic;
}
export interface PingFrame extends Command {
  readonly positions: readonly TopicPosition[];
}
/** Why what came after a position cannot be had any more. */
export type LossReason =
  | 'epoch'
  | 'trimmed'
  | 'too_many'
  | 'unknown_position'
  | 'recovery_off'
  | 'no_history';
/** How a message is to be brought to its subscribers. */
export interface DeliveryOptions {
  /** In seconds: who cannot be served within this time of publishing is not served any more. */
  readonly maxAge?: number;
  /** Connections that do not get it. In a client's frame `self` is its own. */
  readonly except?: readonly string[] | typeof SELF;
}
export const SELF = 'self';
export interface Outgoing extends DeliveryOptions {
  readonly topics: readonly Topic[];
  readonly data: unknown;
  readonly key?: string;
  /** A message with a version that is not above all before it is dropped. */
  readonly version?: number;
  /** The publisher wants to know when it is stored, and where. */
  readonly receipt?: true;
}
export interface PublishFrame extends Command {
  readonly messages: readonly Outgoing[];
  /** The client used `messages` or `topics`, so the reply lists message ids too. */
  readonly batch: boolean;
}
export type Recipient = { readonly connectionId: string } | { readonly userId: string };
export interface SendFrame extends Command, Pick<DeliveryOptions, 'maxAge'> {
  readonly to: Recipient;
  readonly data: unknown;
}

export interface Publisher {
  readonly connectionId?: string;
  readonly userId?: string;
}
export interface WireMessage {
  readonly messageId: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
  readonly data: unknown;
  /** On topics that keep history: 1, 2, 3, … without a hole. */
  readonly offset?: number;
}
/** In place of a message at an offset that has none for this connection. */
export interface Skipped {
  readonly offset: number;
  readonly skipped: true;
}
/** Where messages come from. */
interface Source {
  /** Absent on a message sent to a connection, a user or everyone. */
  readonly topic?: Topic;
  /** On topics that keep history. */
  readonly epoch?: string;
}
export type MessageFrame = { readonly type: 'message' } & Source & (WireMessage | Skipped);
/** Messages that were on their way at the same time, in order. */
export interface MessagesFrame extends Source {
  readonly type: 'messages';
  readonly messages: readonly (WireMessage | Skipped)[];
}

/** The messages that a frame brings, each as if it had come alone, in order. */
export function messagesIn(frame: MessageFrame | MessagesFrame): MessageFrame[] {
  if (frame.type === 'message') return [frame];
  const { messages, ...source } = frame;
  return messages.map((message) => ({ ...source, ...message, type: 'message' }));
}

/** To the publisher of a message that wanted it: where the message is stored, or that it was too old to be. */
export type ReceiptFrame = Command & { readonly type: 'receipt' } & Receipt;
export type Receipt = { readonly messageId: string; readonly topic: Topic } & (
  | Position
  | { readonly dropped: 'stale' }
);

export interface AckFrame extends Command {
  readonly type: 'ack';
  readonly action: Action;
  readonly [detail: string]: unknown;
}
export interface ErrorFrame extends Command {
  readonly type: 'error';
  readonly code: ErrorCode;
  readonly message: string;
}
/** What a command is answered with. */
export type Reply = AckFrame | ErrorFrame;

export const ack = (action: Action, { id }: Command, detail: Fields = {}): AckFrame => ({
  type: 'ack',
  ...(id !== undefined && { id }),
  action,
  ...detail,
});
