import { type DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { getAll, type Item, ifConditionHolds } from './dynamo.ts';
import { expiryAfter, isLive, nowInSeconds } from './expiry.ts';
import { createHeads, HEAD_TTL_SECONDS, type Heads, type Log } from './heads.ts';
import {
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
   * Not later than the offset's allocation by the clock of whoever wrote it: entries age in the order of their offsets,
   * give or take the difference of two clocks.
   */
  readonly atMs: number;
  /** When the offset below was allocated; a tombstone may not know. */
  readonly previousAtMs?: number;
  /** From then on nobody is served any more. */
  readonly expiresAtMs?: number;
  /** Connections that do not get it. */
  readonly except?: readonly string[];
}

/** Which offset a message has, decided before the message is written there. */
export interface Claim {
  readonly offset: number;
  /** Which publication it came with: a redelivered one is the same, a publisher's retry with the same key another. */
  readonly origin: string;
  readonly publishedAtMs: number;
  /** As of the entry. */
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
 * The logs of topics that keep history. Everything is read consistently. An offset is decided by whoever writes it
 * first, and a message's offset by whoever claims it first.
 */
export interface Logs extends Heads {
  claims(log: Log, messageIds: readonly string[]): Promise<Map<string, Claim>>;
  /** Decides a message's offset, in place of offset `instead` if given; false if somebody else has decided it. */
  claim(log: Log, messageId: string, claim: Claim, instead?: number): Promise<boolean>;
  /** Decides an offset; false if it has been decided. `keepSeconds` is how long it can be read. */
  write(log: Log, entry: LogEntry, keepSeconds: number): Promise<boolean>;
  /** Also one that is too old. */
  entry(log: Log, offset: number): Promise<LogEntry | undefined>;
  /** Entries in the order of their offsets, with those that are too old. */
  read(log: Log, range: Range): Promise<LogEntry[]>;
  /** Keeps an entry as the topic's last value, unless there is a newer one. */
  putLast(log: Log, entry: LogEntry): Promise<void>;
  last(log: Log): Promise<LogEntry | undefined>;
}

/** The bus delivers an event for 24 h, and a queue record may come again hours later: the same message all the same. */
const CLAIM_TTL_SECONDS = 2 * 86_400;
/** An entry outlives its time by more than clocks differ, so that an offset that is not there never was. */
export const ENTRY_MARGIN_SECONDS = 3600;

/** Heads and last values are items of the topics table, entries and claims of the messages table. */
export function createLogs(
  client: DynamoDBClient,
  tables: { readonly topicsTable: string; readonly messagesTable: string },
  now: () => number,
): Logs {
  const { topicsTable, messagesTable } = tables;
  const get = async (TableName: string, Key: Item): Promise<Item | undefined> =>
    (await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
  return {
    ...createHeads(client, topicsTable, now),

    async claims(log, messageIds) {
      const keys = messageIds.map((messageId) => claimKey(log, messageId));
      const items = await getAll(client, messagesTable, keys);
      return new Map(items.filter((item) => isLive(item, now())).map(toClaim));
    },

    async claim(log, messageId, { offset, origin, publishedAtMs, atMs }, instead) {
      const put = await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: messagesTable,
            Item: {
              ...claimKey(log, messageId),
              messageId: { S: messageId },
              claimed: { N: String(offset) },
              origin: { S: origin },
              publishedAt: { N: String(publishedAtMs) },
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
              : { ExpressionAttributeValues: { ':instead': { N: String(instead) } } }),
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

/** By the id of its message. */
const toClaim = ({ messageId, claimed, origin, publishedAt, at }: Partial<ClaimItem>): [string, Claim] => [
  String(messageId?.S),
  {
    offset: Number(claimed?.N),
    origin: String(origin?.S),
    publishedAtMs: Number(publishedAt?.N),
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
