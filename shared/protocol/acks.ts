import type { ErrorCode } from './errors.ts';
import type {
  Action,
  Command,
  DeliveryOptions,
  Dropped,
  LoggedMessage,
  LossReason,
  Place,
  Position,
  Receipt,
  Recipient,
  Rewind,
  Skipped,
  TopicPosition,
  WireMessage,
} from './frames.ts';
import type { Pattern, Topic } from './topic.ts';

// Everything that goes over the wire, in both directions. The routes and the client SDK are held to the same types.

type NoFields = Readonly<Record<never, never>>;

/** One message of a `publish`, to one topic or to several. */
export type MessageFields = DeliveryOptions & {
  readonly data: unknown;
  readonly key?: string;
  /** A secret that a client makes up once: whose key it is, unless the server knows the user. */
  readonly family?: string;
  /** The message is dropped unless this is above the versions of all messages before it. */
  readonly version?: number;
  /** The publisher wants to know when the message is stored, and where. */
  readonly receipt?: boolean;
} & ({ readonly topic: string } | { readonly topics: readonly string[] });

/** Client to server: what a command may hold besides `action` and `id`. The parsers give it in a form of their own. */
export interface CommandFields {
  /** The topic may be a pattern. Not both of `rewind` and `position`. */
  readonly subscribe: {
    readonly topic: string;
    readonly rewind?: Rewind;
    readonly position?: Position;
    readonly grant?: string;
  };
  readonly unsubscribe: { readonly topic: string };
  readonly publish: MessageFields | { readonly messages: readonly MessageFields[] };
  readonly send: { readonly to: Recipient; readonly data: unknown; readonly maxAge?: number };
  readonly history: {
    readonly topic: string;
    /** Forward only: the page begins just after it. */
    readonly after?: Position;
    /** In reverse only: the page begins just below this offset. */
    readonly before?: number;
    readonly limit?: number;
    readonly reverse?: boolean;
    readonly grant?: string;
  };
  readonly authenticate: { readonly token: string };
  readonly whoami: NoFields;
  readonly ping: { readonly positions?: readonly TopicPosition[] };
}

/** A part of a topic's log, up to and including the position. On its way to be sent, its messages are written out. */
export interface LogPage<M = LoggedMessage> extends Position {
  /** In the order asked for; absent if there are none. */
  readonly messages?: readonly M[];
  /** The log goes on beyond the position. */
  readonly more?: true;
  /** Present if the page was to begin after a position: nothing is missing in between. */
  readonly recovered?: true;
  readonly reason?: never;
}
/** What came after a position cannot be had any more. The log goes on after the position in here. */
export interface LogLoss extends Position {
  readonly recovered: false;
  readonly reason: LossReason;
  readonly messages?: readonly [];
  readonly more?: never;
}
/** In place of a page, for a wildcard or a topic that keeps no history. */
export interface NoLog {
  readonly epoch?: never;
  readonly offset?: never;
  /** Present if a position was given. */
  readonly recovered?: false;
  readonly reason?: 'no_history';
}

/** A message, and its place if its topic keeps history: it is stored there. */
type Published = { readonly messageId: string; readonly messageIds?: never } & (
  | (Position & { readonly dropped?: never })
  | (Dropped & Partial<Record<keyof Position, never>>)
  | Partial<Record<keyof Position | keyof Dropped, never>>
);
/** The same if the command had `messages` or `topics`. Without `places` no topic keeps history; null is one that does not. */
interface PublishedAll {
  readonly messageIds: readonly string[];
  readonly places?: readonly (Place | null)[];
  readonly messageId?: never;
}

/** Server to client: what the ack of a command holds besides `type`, `action` and `id`. */
export interface Acks<M = LoggedMessage> {
  readonly subscribe: {
    readonly topic: Pattern;
    /** With a grant: when it ends, and the subscription with it. ISO 8601. */
    readonly expiresAt?: string;
  } & (LogPage<M> | LogLoss | NoLog);
  readonly unsubscribe: { readonly topic: Pattern };
  readonly publish: Published | PublishedAll;
  readonly send: { readonly messageId: string };
  readonly history: { readonly topic: Topic } & (LogPage<M> | LogLoss);
  /** When the token ends, in ISO 8601. */
  readonly authenticate: { readonly expiresAt: string };
  readonly whoami: {
    readonly connectionId: string;
    readonly userId?: string;
    /** The @connections URL, where others may post to this connection. */
    readonly endpoint: string;
  };
  readonly ping: {
    /** The newest positions of those topics whose given positions are behind. */
    readonly behind?: readonly TopicPosition[];
    /** The connection will end soon: the client opens the next one. */
    readonly rollover?: true;
  };
}

interface AckHead<A extends Action> extends Command {
  readonly type: 'ack';
  readonly action: A;
}
/** The answer to a command that was carried out. */
export type AckFrame<A extends Action, M = LoggedMessage> = AckHead<A> & Acks<M>[A];
/** The ack of any action: `action` says which. */
export type AnyAckFrame<M = LoggedMessage> = { [A in Action]: AckFrame<A, M> }[Action];

/** The answer to a command that was not. */
export interface ErrorFrame extends Command {
  readonly type: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  /** When the same command will be taken, in milliseconds from now. With `rate_limited`. */
  readonly retryAfterMs?: number;
}
/** What a command is answered with. */
export type Reply<M = LoggedMessage> = AnyAckFrame<M> | ErrorFrame;

/** What all messages of a frame have in common. */
interface Source {
  /** Absent on a message sent to a connection, a user or everyone. */
  readonly topic?: Topic;
  /** On topics that keep history. */
  readonly epoch?: string;
}
/** One message, or that there is none for this connection at an offset. */
export type MessageFrame = { readonly type: 'message' } & Source & (WireMessage | Skipped);
/** Messages that were on their way at the same time, in order. */
export interface MessagesFrame extends Source {
  readonly type: 'messages';
  readonly messages: readonly (WireMessage | Skipped)[];
}
/** To the publisher of a message that asked for it: where the message is stored, or that it was too old to be. */
export type ReceiptFrame = Command & { readonly type: 'receipt' } & Receipt;

/** Why the server is about to close a connection: its token has ended or was revoked, or it was one too many. */
export type ClosingCode = 'expired' | 'revoked' | 'limit' | 'shutdown';
/** The last that a connection gets: then the server closes it. */
export interface ClosingFrame {
  readonly type: 'closing';
  readonly code: ClosingCode;
  /** Whether its client is to come again, with another token. */
  readonly reconnect: boolean;
  readonly message: string;
}

/** From API Gateway itself, which could not run a command and does not say which one. */
export interface GatewayFrame {
  readonly type?: never;
  readonly message: string;
}
/** Everything that a client is sent. */
export type ServerFrame = Reply | MessageFrame | MessagesFrame | ReceiptFrame | ClosingFrame | GatewayFrame;

/** Answers a command. Messages are written out already. */
export function ack<A extends Action>(
  action: A,
  { id }: Command,
  detail: Acks<string>[A],
): AckFrame<A, string> {
  const head: AckHead<A> = { type: 'ack', ...(id !== undefined && { id }), action };
  return { ...head, ...detail };
}

/** A reply as it is sent. */
export function replyJson(reply: Reply<string>): string {
  if (!('messages' in reply)) return JSON.stringify(reply);
  const members = Object.entries(reply).map(([name, value]) => {
    const json = name === 'messages' ? `[${value.join(',')}]` : JSON.stringify(value);
    return `"${name}":${json}`;
  });
  return `{${members.join(',')}}`;
}

/** The messages that a frame brings, each as if it had come alone, in order. */
export function messagesIn(frame: MessageFrame | MessagesFrame): MessageFrame[] {
  if (frame.type === 'message') return [frame];
  const { messages, ...source } = frame;
  return messages.map((message) => ({ ...source, ...message, type: 'message' }));
}
