import { type DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { WireMessage } from '../protocol/frames.ts';
import { type DataJson, messageJson } from '../protocol/json.ts';
import type { RetryClock } from '../retry.ts';
import { getAll, type Item, ifConditionHolds } from './dynamo.ts';
import { expiryAfter, isLive, nowInSeconds } from './expiry.ts';
import { createHeads, HEAD_TTL_SECONDS, type Heads, type Log } from './heads.ts';
import {
  type BringerItem,
  bringerKey,
  type ClaimItem,
  claimKey,
  type EntryAttributes,
  type EntryItem,
  entryKey,
  type LastValueItem,
  lastValueKey,
  logName,
} from './tables.ts';

export type { Head, Log } from './heads.ts';

/** What has been decided for an offset: a message, or that there is none (a tombstone). */
export interface LogEntry {
  readonly offset: number;
  /** A `WireMessage` with its offset, written out; a tombstone has none. */
  readonly json?: string;
  /**
   * When the offset was allocated, or before, by the writer's clock: entries age in the order of their offsets, give or
   * take the difference of two clocks.
   */
  readonly atMs: number;
  /** When the offset below was allocated; a tombstone may not know. */
  readonly previousAtMs?: number;
  /** From then on it is not delivered. */
  readonly expiresAtMs?: number;
  /** Connections that do not get it. */
  readonly except?: readonly string[];
}

/** The `json` of a message at an offset. */
export const entryJson = ({ messageId, ...rest }: WireMessage<DataJson>, offset: number): string =>
  messageJson({ messageId, offset, ...rest });

/** Which offset a message has, decided before the message is written there. */
export interface Claim {
  /** `stale` if it has none, because its topic has had a newer version. */
  readonly offset: number | 'stale';
  /** Which publication it came with: a redelivered one is the same, a publisher's retry with the same key another. */
  readonly origin: string;
  /** See `Draft`. */
  readonly acceptedAtMs: number;
  /** The entry's `atMs`. */
  readonly atMs: number;
}

export interface Range {
  /** The first offset to read. */
  readonly from: number;
  readonly descending?: boolean;
  /** Entries at most; one read holds 1 MB at most in any case. */
  readonly limit: number;
}

/**
 * The logs of topics that keep history. Everything is read consistently. The first write decides an offset, and the
 * first claim decides which offset a message has.
 */
export interface Logs extends Heads {
  claims(log: Log, messageIds: readonly string[]): Promise<Map<string, Claim>>;
  /** Decides a message's offset, in place of `instead` if given; false if it has been decided otherwise. */
  claim(log: Log, messageId: string, claim: Claim, instead?: Claim['offset']): Promise<boolean>;
  /**
   * Whether a publication is the one that brings a message at an offset to its subscribers: the first that asks, and
   * that one as often as it asks.
   */
  bring(log: Log, messageId: string, offset: number, origin: string): Promise<boolean>;
  /** Decides an offset; false if it has been decided. `keepSeconds` is how long it can be read. */
  write(log: Log, entry: LogEntry, keepSeconds: number): Promise<boolean>;
  /** The entry at an offset, even if its time is over. */
  entry(log: Log, offset: number): Promise<LogEntry | undefined>;
  /** Entries by offset, even if their time is over. */
  read(log: Log, range: Range): Promise<LogEntry[]>;
  /** Keeps an entry as the topic's last value, unless there is a newer one. */
  putLast(log: Log, entry: LogEntry): Promise<void>;
  last(log: Log): Promise<LogEntry | undefined>;
}

/** The bus retries an event for 24 h, and a queue record may come again hours later: it is still the same message. */
const CLAIM_TTL_SECONDS = 2 * 86_400;
/**
 * An entry outlives its time by more than clocks differ: if a young offset is missing, it was never written. And by more
 * than its record may come again (infra/queues.ts: 15 times 540 s), so that a later try finds what an earlier decided.
 */
export const ENTRY_MARGIN_SECONDS = 3 * 3600;

/** Heads and last values are items of the topics table, entries and claims of the messages table. */
export function createLogs(
  client: DynamoDBClient,
  tables: { readonly topicsTable: string; readonly messagesTable: string },
  clock: RetryClock,
): Logs {
  const { now } = clock;
  const { topicsTable, messagesTable } = tables;
  const get = async (TableName: string, Key: Item): Promise<Item | undefined> =>
    (await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
  return {
    ...createHeads(client, topicsTable, clock),

    async claims(log, messageIds) {
      const keys = messageIds.map((messageId) => claimKey(log, messageId));
      const items = await getAll(client, messagesTable, keys, clock);
      return new Map(items.filter((item) => isLive(item, now())).map(toClaim));
    },

    async claim(log, messageId, { offset, origin, acceptedAtMs, atMs }, instead) {
      const put = await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: messagesTable,
            Item: {
              ...claimKey(log, messageId),
              messageId: { S: messageId },
              claimed: fromClaimed(offset),
              origin: { S: origin },
              publishedAt: { N: String(acceptedAtMs) },
              at: { N: String(atMs) },
              expiresAt: expiryAfter(CLAIM_TTL_SECONDS, now()),
            } satisfies ClaimItem,
            ConditionExpression:
              instead === undefined
                ? 'attribute_not_exists(#log) OR expiresAt <= :now'
                : 'claimed = :instead',
            ...(instead === undefined
              ? {
                  ExpressionAttributeNames: { '#log': 'log' },
                  ExpressionAttributeValues: { ':now': nowInSeconds(now()) },
                }
              : { ExpressionAttributeValues: { ':instead': fromClaimed(instead) } }),
          }),
        ),
      );
      return put !== undefined;
    },

    async bring(log, messageId, offset, origin) {
      const put = await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: messagesTable,
            Item: {
              ...bringerKey(log, messageId, offset),
              origin: { S: origin },
              expiresAt: expiryAfter(CLAIM_TTL_SECONDS, now()),
            } satisfies BringerItem,
            ConditionExpression: 'attribute_not_exists(#log) OR origin = :origin',
            ExpressionAttributeNames: { '#log': 'log' },
            ExpressionAttributeValues: { ':origin': { S: origin } },
          }),
        ),
      );
      return put !== undefined;
    },

    async write(log, entry, keepSeconds) {
      const put = await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: messagesTable,
            Item: {
              ...entryKey(log, entry.offset),
              ...fromEntry(entry),
              expiresAt: expiryAfter(keepSeconds + ENTRY_MARGIN_SECONDS, entry.atMs),
            } satisfies EntryItem,
            ConditionExpression: 'attribute_not_exists(#log)',
            ExpressionAttributeNames: { '#log': 'log' },
          }),
        ),
      );
      return put !== undefined;
    },

    async entry(log, offset) {
      const item = await get(messagesTable, entryKey(log, offset));
      return item && toEntry(item);
    },

    async read(log, { from, descending = false, limit }) {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName: messagesTable,
          ConsistentRead: true,
          KeyConditionExpression: `#log = :log AND #offset ${descending ? '<=' : '>='} :from`,
          ExpressionAttributeNames: { '#log': 'log', '#offset': 'offset' },
          ExpressionAttributeValues: { ':log': { S: logName(log) }, ':from': { N: String(from) } },
          ScanIndexForward: !descending,
          Limit: limit,
        }),
      );
      return Items.map(toEntry);
    },

    async putLast({ topic, epoch }, entry) {
      await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: topicsTable,
            Item: {
              ...lastValueKey(topic),
              ...fromEntry(entry),
              epoch: { S: epoch },
              offset: { N: String(entry.offset) },
              expiresAt: expiryAfter(HEAD_TTL_SECONDS, now()),
            } satisfies LastValueItem,
            ConditionExpression: 'attribute_not_exists(epoch) OR epoch <> :epoch OR #offset < :offset',
            ExpressionAttributeNames: { '#offset': 'offset' },
            ExpressionAttributeValues: { ':epoch': { S: epoch }, ':offset': { N: String(entry.offset) } },
          }),
        ),
      );
    },

    async last({ topic, epoch }) {
      const item = await get(topicsTable, lastValueKey(topic));
      return isLive(item, now()) && item.epoch?.S === epoch ? toEntry(item) : undefined;
    },
  };
}

/** Stored as the offset of a stale message: offsets start at 1. */
const STALE = '0';
const fromClaimed = (offset: Claim['offset']) => ({ N: offset === 'stale' ? STALE : String(offset) });

/** By the id of its message. */
const toClaim = ({ messageId, claimed, origin, publishedAt, at }: Partial<ClaimItem>): [string, Claim] => [
  String(messageId?.S),
  {
    offset: claimed?.N === STALE ? 'stale' : Number(claimed?.N),
    origin: String(origin?.S),
    acceptedAtMs: Number(publishedAt?.N),
    atMs: Number(at?.N),
  },
];

const fromEntry = ({ json, atMs, previousAtMs, expiresAtMs, except }: LogEntry): EntryAttributes => ({
  at: { N: String(atMs) },
  ...(previousAtMs !== undefined && { previousAt: { N: String(previousAtMs) } }),
  ...(json !== undefined && { json: { S: json } }),
  ...(expiresAtMs !== undefined && { lateAt: { N: String(expiresAtMs) } }),
  ...(except && except.length > 0 && { except: { SS: [...except] } }),
});

const toEntry = ({ offset, at, previousAt, json, lateAt, except }: Partial<EntryItem>): LogEntry => ({
  offset: Number(offset?.N),
  atMs: Number(at?.N),
  ...(previousAt?.N !== undefined && { previousAtMs: Number(previousAt.N) }),
  ...(json?.S !== undefined && { json: json.S }),
  ...(lateAt?.N !== undefined && { expiresAtMs: Number(lateAt.N) }),
  ...(except?.SS && { except: except.SS }),
});
