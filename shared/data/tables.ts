import type { RateName } from '../protocol/limits.ts';
import type { Pattern, Topic } from '../protocol/topic.ts';
import type { Log } from './heads.ts';
import type { Shard } from './shards.ts';

/**
 * Where everything is stored: five tables, fourteen kinds of item. Of a topic `chat/lobby`:
 *
 * | table         | key                          | item                                                          |
 * |---------------|------------------------------|---------------------------------------------------------------|
 * | topics        | `chat/lobby`                 | `ShardsItem`: how many shards its subscribers are spread over |
 * | topics        | `chat/*`                     | `ShardsItem`: those of a pattern that covers it               |
 * | subscriptions | `chat/lobby#0`, connectionId | `SubscriptionItem`: a subscriber in shard 0                   |
 * | topics        | `chat/lobby#log`             | `HeadItem`: where its log ends                                |
 * | messages      | `chat/lobby#EPOCH`, 7        | `EntryItem`: the message, or the tombstone, at offset 7       |
 * | messages      | `chat/lobby#EPOCH#ID`, 0     | `ClaimItem`: which offset the message with that id has        |
 * | messages      | `chat/lobby#EPOCH#ID`, 7     | `BringerItem`: who brings the message with that id            |
 * | topics        | `chat/lobby#last`            | `LastValueItem`: its last value                               |
 *
 * And of no topic:
 *
 * | table         | key                          | item                                                          |
 * |---------------|------------------------------|---------------------------------------------------------------|
 * | connections   | connectionId                 | `ConnectionItem`: a connection, its user and subscriptions    |
 * | topics        | `#posts`                     | `PostsItem`: the schedule of posts that all workers share     |
 * | access        | `revoked#ada`                | `RevocationItem`: until when tokens of a user are refused     |
 * | access        | `ticket#HASH`                | `TicketItem`: what a ticket lets its bearer do, once          |
 * | access        | `allowance#user#ada`         | `AllowanceItem`: what a user may still use up                 |
 * | access        | `connections#ada`            | `UserConnectionsItem`: which connections a user has           |
 * | access        | `connections`                | `ConnectionCountItem`: how many connections there are         |
 *
 * Keys are made here and nowhere else. `#` cannot occur in a topic or a pattern, so no two kinds of item share a key.
 * Times are epoch milliseconds; only `expiresAt` is in seconds, as TTL wants it. TTL deletes late, by days at worst:
 * readers leave out what has expired. The construct creates the tables from `TABLES`.
 */

// Attribute values are as the low-level client takes them: marshalling 10,000 subscribers takes five times as long.
interface S {
  readonly S: string;
}
/** A number, written out. */
interface N {
  readonly N: string;
}

/** What a token can be revoked by, and when it was issued. */
export type TokenAttributes = {
  readonly tokenId?: S;
  readonly issuedAt?: N;
};

/** A connection. Expires a little after the 2 hours that API Gateway lets it live, or with its token. */
export type ConnectionItem = TokenAttributes & {
  readonly connectionId: S;
  readonly userId?: S;
  readonly connectedAt: N;
  /** Its subscriptions: by pattern, the shard that holds the subscription's own item. */
  readonly subscriptions: { readonly M: Readonly<Record<string, N>> };
  /** When those of its subscriptions end that do so on their own, and with which grant; see `Standing`. */
  readonly ends?: {
    readonly M: Readonly<Record<string, { readonly M: TokenAttributes & { readonly expiresAt: N } }>>;
  };
  /** The newest token that its client has given it since: the first one is in attributes of the item's own. */
  readonly renewed?: {
    readonly M: Required<TokenAttributes> & {
      /** As JSON. */
      readonly rights: S;
      /** As the token says it. */
      readonly expiresAt: N;
    };
  };
  /** How many tokens its client has given it. */
  readonly renewals?: N;
  /** When it gave the newest. */
  readonly renewedAt?: N;
  readonly expiresAt: N;
};

/** A subscription, stored by shard so that the fan-out reads a shard with one consistent Query. */
export type SubscriptionItem = {
  /** See `shardName`. */
  readonly topicShard: S;
  readonly connectionId: S;
  /** The `renewals` of its connection by which its end was decided; absent if there had been none. */
  readonly renewals?: N;
  readonly expiresAt: N;
};

/** A pattern that may have subscribers. Expires with the last of their subscriptions, or up to an hour later. */
export type ShardsItem = {
  /** The pattern. */
  readonly topic: S;
  /** How many shards there are; never fewer than before while the item lives. */
  readonly shards: N;
  readonly expiresAt: N;
};

/** The head of a topic's log. Expires 30 days after the last publication, and with it the epoch. */
export type HeadItem = {
  readonly topic: S;
  readonly epoch: S;
  /** The newest offset; 0 for a log without entries. */
  readonly offset: N;
  /** When the log was opened. */
  readonly createdAt: N;
  /** When the newest offset was allocated. */
  readonly allocatedAt: N;
  /** The first offset that was allocated with it. */
  readonly allocatedFrom?: N;
  /** With which one that was. */
  readonly allocatedTo?: N;
  /** The same of the newest offset before the last allocation. */
  readonly previousAt: N;
  /** The newest version, if any was published: see `allocateVersion`. */
  readonly version?: N;
  /** The id of the message with that version. */
  readonly versionOf?: S;
  /** When that message was accepted. */
  readonly versionAt?: N;
  /** The offset that was allocated with that version. */
  readonly versionOffset?: N;
  /** When that was. */
  readonly versionTakenAt?: N;
  readonly expiresAt: N;
};

/** What is stored of an entry of a log: see `LogEntry` for what it means. */
export type EntryAttributes = {
  /** `atMs` */
  readonly at: N;
  /** `previousAtMs` */
  readonly previousAt?: N;
  /** `json`; a tombstone has none */
  readonly json?: S;
  /** `expiresAtMs`, after which it is not served, though it is still stored */
  readonly lateAt?: N;
  /** `except` */
  readonly except?: { readonly SS: string[] };
};

/** An entry of a log. Expires an hour after the time that the namespace keeps it. */
export type EntryItem = EntryAttributes & {
  /** See `logName`. */
  readonly log: S;
  /** 1 or more. */
  readonly offset: N;
  readonly expiresAt: N;
};

/** A message's claim to an offset. Expires after 2 days, when nothing brings the same message any more. */
export type ClaimItem = {
  /** The name of the log and the message's id. */
  readonly log: S;
  /** 0, which no entry has. */
  readonly offset: N;
  readonly messageId: S;
  /** The offset that the message has; 0 if it is stale, and so has none. */
  readonly claimed: N;
  /** The publication that brought the message. */
  readonly origin: S;
  /** When the message was accepted. Older code writes here what its publisher says. */
  readonly publishedAt: N;
  /** As in the entry. */
  readonly at: N;
  readonly expiresAt: N;
};

/**
 * Which publication brings a message that clients may publish again to its subscribers. Expires after 2 days, as its
 * claim does.
 */
export type BringerItem = {
  /** As in the claim. */
  readonly log: S;
  /** As in the entry. */
  readonly offset: N;
  readonly origin: S;
  readonly expiresAt: N;
};

/** The newest message of a topic, for as long as its head lives. Only namespaces with `lastValue` have these. */
export type LastValueItem = EntryAttributes & {
  readonly topic: S;
  readonly epoch: S;
  readonly offset: N;
  readonly expiresAt: N;
};

/** The schedule of posts. There is one item, and it never expires. */
export type PostsItem = {
  readonly topic: S;
  /** From when on nothing is taken. */
  readonly freeAt: N;
  /** When something was taken last, by the clock of the worker that did. */
  readonly takenAt: N;
};

/**
 * What was issued to a user up to a time is refused, or one token is. Expires when nothing that is so old is taken any
 * more.
 */
export type RevocationItem = {
  /** See `revocationKey`. */
  readonly id: S;
  /** What was issued later is good. */
  readonly revokedAt: N;
  readonly expiresAt: N;
};

/** There until it is used: whoever deletes it is let in. */
export type TicketItem = {
  /** See `ticketKey`. */
  readonly id: S;
  /** `Access` of `shared/auth/access.ts`, as JSON. */
  readonly access: S;
  /** When the ticket ends, which is never later than its token. */
  readonly expiresAt: N;
};

/** The buckets of a verified user, or of a connection without one. Expires when all of them are full. */
export type AllowanceItem = {
  /** See `allowanceKey`. */
  readonly id: S;
  readonly expiresAt: N;
} & {
  /** When the bucket is full again. Without it the bucket is full. */
  readonly [A in `${RateName}FullAt`]?: N;
};

/** The connections of a verified user, where their number is limited. Some may be closed: then they have no item. */
export type UserConnectionsItem = {
  /** See `userConnectionsKey`. */
  readonly id: S;
  readonly connectionIds?: { readonly SS: string[] };
  readonly expiresAt: N;
};

/** How many connections there are, where that is limited. There is one item, and it never expires. */
export type ConnectionCountItem = {
  readonly id: S;
  readonly connectionCount: N;
};

/** The index of the connections table that finds the connections of a user. */
export const USER_INDEX = 'byUser';

/** TTL reads it: when an item may be deleted. */
export const TTL_ATTRIBUTE = 'expiresAt' satisfies keyof (
  | ConnectionItem
  | SubscriptionItem
  | ShardsItem
  | HeadItem
  | EntryItem
  | ClaimItem
  | BringerItem
  | LastValueItem
  | RevocationItem
  | TicketItem
  | AllowanceItem
  | UserConnectionsItem
);

export const TABLES = {
  connections: {
    keys: { connectionId: 'S' },
    indexes: { [USER_INDEX]: { keys: { userId: 'S', connectionId: 'S' }, projected: [TTL_ATTRIBUTE] } },
  } satisfies TableOf<ConnectionItem>,
  subscriptions: { keys: { topicShard: 'S', connectionId: 'S' } } satisfies TableOf<SubscriptionItem>,
  topics: { keys: { topic: 'S' } } satisfies TableOf<ShardsItem | HeadItem | LastValueItem | PostsItem>,
  messages: { keys: { log: 'S', offset: 'N' } } satisfies TableOf<EntryItem | ClaimItem | BringerItem>,
  /** What is known of users and tokens, and of no topic. */
  access: { keys: { id: 'S' } } satisfies TableOf<
    RevocationItem | TicketItem | AllowanceItem | UserConnectionsItem | ConnectionCountItem
  >,
} as const;

export type TableName = keyof typeof TABLES;

/** The partition key with its type, and then the sort key if there is one. */
export type Keys = Readonly<Record<string, 'S' | 'N'>>;
export interface TableDefinition {
  readonly keys: Keys;
  readonly indexes?: Readonly<Record<string, { readonly keys: Keys; readonly projected: readonly string[] }>>;
}

/** The same, naming only attributes that the table's items have. */
interface TableOf<I> {
  readonly keys: KeysOf<I>;
  readonly indexes?: Readonly<
    Record<string, { readonly keys: KeysOf<I>; readonly projected: readonly (keyof I)[] }>
  >;
}
type KeysOf<I> = { readonly [A in keyof I]?: keyof NonNullable<I[A]> & ('S' | 'N') };

export const connectionKey = (connectionId: string) => ({ connectionId: { S: connectionId } });

/** The partition of one shard's subscriptions. */
export const shardName = ({ pattern, shard }: Shard): string => `${pattern}#${shard}`;
export const subscriptionKey = (shard: Shard, connectionId: string) => ({
  topicShard: { S: shardName(shard) },
  connectionId: { S: connectionId },
});

export const shardsKey = (pattern: Pattern) => ({ topic: { S: pattern as string } });
const HEAD_SUFFIX = '#log';
export const headKey = (topic: Topic) => ({ topic: { S: `${topic}${HEAD_SUFFIX}` } });
/** Whether an item of the topics table is the head of a log. */
export const isHead = ({ topic }: Partial<HeadItem>): boolean => topic?.S.endsWith(HEAD_SUFFIX) ?? false;
export const lastValueKey = (topic: Topic) => ({ topic: { S: `${topic}#last` } });
export const POSTS_KEY = { topic: { S: '#posts' } };

/** The topic whose head it is. */
export const topicOfHead = ({ topic }: Partial<HeadItem>): Topic => String(topic?.S).split('#')[0] as Topic;

/** The partition of one log's entries. */
export const logName = ({ topic, epoch }: Log): string => `${topic}#${epoch}`;
export const entryKey = (log: Log, offset: number) => ({
  log: { S: logName(log) },
  offset: { N: String(offset) },
});
/** No entry has offset 0. */
export const claimKey = (log: Log, messageId: string) => bringerKey(log, messageId, 0);
export const bringerKey = (log: Log, messageId: string, offset: number) => ({
  log: { S: `${logName(log)}#${messageId}` },
  offset: { N: String(offset) },
});

/** Of all tokens of a user, or of one. Neither can have a `#` in it. */
export const revocationKey = (userId: string, tokenId?: string) => ({
  id: { S: ['revoked', userId, ...(tokenId === undefined ? [] : [tokenId])].join('#') },
});

/** Of a ticket of which this is the hash. Users' keys have another beginning. */
export const ticketKey = (hash: string) => ({ id: { S: `ticket#${hash}` } });

export const userConnectionsKey = (userId: string) => ({ id: { S: `connections#${userId}` } });
export const CONNECTION_COUNT_KEY = { id: { S: 'connections' } };

/** Of a user (`user#ada`), or of a connection (`connection#ID`). */
export const allowanceKey = (owner: string) => ({ id: { S: `allowance#${owner}` } });
