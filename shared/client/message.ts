import {
  type LogLoss,
  type LogPage,
  type MessageFrame,
  type MessagesFrame,
  messagesIn,
} from '../protocol/acks.ts';
import type { Position, Publisher, Skipped } from '../protocol/frames.ts';
import type { Topic } from '../protocol/topic.ts';

/** A message as an application gets it. */
export interface Message<T = unknown> {
  /** Absent on a message that was sent to this connection, its user or everyone. */
  readonly topic?: string;
  /** The same id is the same message. */
  readonly messageId: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publisher: Publisher;
  /** As JSON.parse reads it: numbers in double precision. */
  readonly data: T;
  /** With `offset`: the position of the message, on topics that keep history. */
  readonly epoch?: string;
  readonly offset?: number;
}

/** A message with its position in the log of its topic. */
export type PlacedMessage = Message & Position;

/** What a live frame brings: a message, or that there is none for this connection at some position. */
export type LiveMessage = { readonly topic?: Topic } & (
  | (Message & { readonly skipped?: never })
  | (Skipped & { readonly epoch?: string; readonly messageId?: never })
);

/** The messages in a live frame. */
export const messagesOf = (frame: MessageFrame | MessagesFrame): LiveMessage[] =>
  messagesIn(frame).map(({ type, ...message }) => message);

/** The messages of a page, as if they had come live. */
export const placedIn = (topic: string, { epoch, messages = [] }: LogPage | LogLoss): PlacedMessage[] =>
  messages.map((message) => ({ topic, epoch, ...message }));
