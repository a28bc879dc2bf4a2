import type { Topic } from './topic.ts';

// What the frames of the wire protocol are made of, and their limits. The frames themselves are in acks.ts.

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
/** A day: a message that may be later than that needs no limit. */
export const MAX_AGE_SECONDS_MAX = 86_400;
export const ID_LENGTH_MAX = 128;
/** API Gateway takes 10,240 bytes of headers, where a token may be, too. */
export const TOKEN_LENGTH_MAX = 8 * 1024;
export const EPOCH_LENGTH_MAX = 64;
/**
 * How the epoch of a position begins that was given while its topic had no log: it stands for the log that is to come.
 * When it was given follows, because that one may have come and gone since.
 */
export const COMING_LOG = 'new-';
/** Of data. EventBridge takes 1,000 levels with its envelope; JSON.stringify overflows the stack at a few thousand. */
export const NESTING_MAX = 500;
/** Levels that data is in, at most: a frame or a detail, its list of messages, and a message. */
export const LEVELS_AROUND_DATA = 3;

export const Action = {
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  publish: 'publish',
  send: 'send',
  history: 'history',
  authenticate: 'authenticate',
  whoami: 'whoami',
  ping: 'ping',
} as const;
export type Action = (typeof Action)[keyof typeof Action];

/** What every command has: the client's correlation id, echoed in the reply. */
export interface Command {
  readonly id?: string;
}
/** A place in the log of a topic that keeps history: just after the message with that offset. */
export interface Position {
  /** Names the incarnation of the log; offsets of another mean nothing. */
  readonly epoch: string;
  /** 0 is before the first message. */
  readonly offset: number;
}
export interface TopicPosition extends Position {
  readonly topic: string;
}
/** So many messages, or those of the last so many seconds. */
export type Rewind = number | { readonly seconds: number };
/** Why what came after a position cannot be had any more. */
export type LossReason =
  | 'epoch'
  | 'trimmed'
  | 'too_many'
  | 'unknown_position'
  | 'recovery_off'
  | 'no_history';
export const SELF = 'self';
/** How a message is to be brought to its subscribers. */
export interface DeliveryOptions {
  /** In seconds after publishing: subscribers that cannot be reached within this time do not get the message. */
  readonly maxAge?: number;
  /** Connections that do not get it. In a client's frame `self` is its own. */
  readonly except?: readonly string[] | typeof SELF;
}
export type Recipient = { readonly connectionId: string } | { readonly userId: string };

export interface Publisher {
  readonly connectionId?: string;
  readonly userId?: string;
}
/**
 * A message as frames and logs hold it: without its topic and epoch, which it shares with others. Before it is written
 * out, its data is `DataJson`.
 */
export interface WireMessage<D = unknown> {
  readonly messageId: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
  readonly data: D;
  /** On topics that keep history: 1, 2, 3, … without a hole. */
  readonly offset?: number;
}
export interface LoggedMessage extends WireMessage {
  readonly offset: number;
}
/** In place of a message at an offset that has none for this connection. */
export interface Skipped {
  readonly offset: number;
  readonly skipped: true;
}
/** A message is not stored, because the topic has a newer version. */
export interface Dropped {
  readonly dropped: 'stale';
}
/** Where a message is stored, or that it is not. */
export type Place = Position | Dropped;
export type Receipt = { readonly messageId: string; readonly topic: Topic } & Place;
