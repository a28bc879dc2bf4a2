import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { KEY_WINDOW_MS, type Position } from '../protocol/frames.ts';
import type { Topic } from '../protocol/topic.ts';
import type { RetryClock } from '../retry.ts';
import { type Assignments, getAll, type Item, ifConditionHolds, set } from './dynamo.ts';
import { expiryAfter, isLive, nowInSeconds } from './expiry.ts';
import { type HeadItem, headKey, topicOfHead } from './tables.ts';

/** One incarnation of a topic's log. A topic that was forgotten and comes back has another epoch. */
export interface Log {
  readonly topic: Topic;
  readonly epoch: string;
}

/** Where a log ends. Offsets start at 1; a log without entries ends at 0. */
export interface Head extends Position {
  readonly createdAtMs: number;
  /** When the newest offset was allocated. */
  readonly allocatedAtMs: number;
  /** The first offset that was allocated with it. */
  readonly allocatedFrom: number;
  /** When the offset below that was allocated. */
  readonly previousAtMs: number;
}

/** Offsets that are the caller's to decide, from `first` on. */
export interface Allocation {
  readonly first: number;
  /** When the offset below the first was allocated. */
  readonly previousAtMs: number;
}

/** Where the logs of topics end, and the allocation of their next offsets. Everything is read consistently. */
export interface Heads {
  head(topic: Topic): Promise<Head | undefined>;
  heads(topics: readonly Topic[]): Promise<(Log & Head)[]>;
  /** The topic's head; a topic that has none starts a log with this epoch. */
  open(topic: Topic, newEpoch: string): Promise<Head>;
  /** Takes `count` offsets; undefined if the log is not the topic's any more. */
  allocate(log: Log, count: number): Promise<Allocation | undefined>;
  /**
   * Takes an offset unless the topic has had a newer version, or this one: then the answer is `stale`, or who has it.
   */
  allocateVersion(log: Log, message: Versioned): Promise<Allocation | Holder | 'stale' | undefined>;
}

/** A message with a version. */
interface Versioned {
  readonly version: number;
  /** It is the newest, whatever there was. */
  readonly resets?: boolean | undefined;
  readonly messageId: string;
  readonly acceptedAtMs: number;
  /** An offset with a tombstone: whoever took this version with it has it no more. */
  readonly insteadOf?: number | undefined;
}

/** The message for which a version was taken, and where it is to be. Whoever took it may have died before it was. */
export interface Holder {
  readonly messageId: string;
  readonly acceptedAtMs: number;
  readonly offset: number;
  readonly takenAtMs: number;
}

/** A log without publications is forgotten after this time: positions in it are unknown from then on. */
export const HEAD_TTL_SECONDS = 30 * 86_400;

/** Heads are items of the topics table. */
export function createHeads(client: DynamoDBClient, table: string, clock: RetryClock): Heads {
  const { now } = clock;
  /** Starts a log or allocates offsets; undefined if the condition does not hold. */
  const updateHead = async (topic: Topic, update: HeadUpdate): Promise<Partial<HeadItem> | undefined> => {
    const { assign, remove, condition, values } = update;
    const assignments = set<HeadItem>({
      expiresAt: ':expiresAt',
      previousAt: 'if_not_exists(allocatedAt, :nowMs)',
      allocatedAt: ':nowMs',
      ...assign,
    });
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: headKey(topic),
          UpdateExpression: remove ? `${assignments} ${remove}` : assignments,
          ConditionExpression: condition,
          ExpressionAttributeNames: { '#offset': 'offset' },
          ExpressionAttributeValues: {
            ':now': nowInSeconds(now()),
            ':nowMs': { N: String(now()) },
            ':expiresAt': expiryAfter(HEAD_TTL_SECONDS, now()),
            ...values,
          },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated?.Attributes;
  };
  const read = async (topic: Topic): Promise<Partial<HeadItem> | undefined> => {
    const { Item } = await client.send(
      new GetItemCommand({ TableName: table, Key: headKey(topic), ConsistentRead: true }),
    );
    return isLive(Item, now()) ? Item : undefined;
  };
  const head = async (topic: Topic): Promise<Head | undefined> => {
    const item = await read(topic);
    return item && toHead(item);
  };

  return {
    head,

    async heads(topics) {
      const items = await getAll(client, table, topics.map(headKey), clock);
      return items
        .filter((item) => isLive(item, now()))
        .map((item) => ({ topic: topicOfHead(item), ...toHead(item) }));
    },

    async open(topic, newEpoch) {
      const found = await head(topic);
      if (found) return found;
      const opened = await updateHead(topic, {
        assign: { epoch: ':epoch', '#offset': ':none', createdAt: ':nowMs' },
        remove:
          'REMOVE allocatedFrom, allocatedTo, version, versionOf, versionAt, versionOffset, versionTakenAt',
        condition: 'attribute_not_exists(epoch) OR expiresAt <= :now',
        values: { ':epoch': { S: newEpoch }, ':none': { N: '0' } },
      });
      if (opened) return toHead(opened);
      const another = await head(topic);
      if (!another) throw new Error(`expected ${topic} to have a log once it was opened, got none`);
      return another;
    },

    async allocate({ topic, epoch }, count) {
      const item = await updateHead(topic, {
        assign: {
          '#offset': '#offset + :count',
          allocatedFrom: '#offset + :one',
          allocatedTo: '#offset + :count',
        },
        condition: 'epoch = :epoch AND expiresAt > :now',
        values: { ':count': { N: String(count) }, ':one': { N: '1' }, ':epoch': { S: epoch } },
      });
      return item && toAllocation(item, count);
    },

    async allocateVersion({ topic, epoch }, message) {
      const { version, resets, messageId, acceptedAtMs, insteadOf } = message;
      // Older code does not say where the message is to be, so that the same one takes another offset.
      const isOlder = '(attribute_not_exists(versionTakenAt) OR versionTakenAt < versionAt)';
      const isSame = `version = :version AND versionOf = :id AND versionAt >= :same AND ${isOlder}`;
      const isFree = 'version = :version AND versionOffset = :free';
      const isNewest = `(attribute_not_exists(version) OR version < :version OR (${isSame})${insteadOf !== undefined ? ` OR (${isFree})` : ''})`;
      const item = await updateHead(topic, {
        assign: {
          '#offset': '#offset + :one',
          allocatedFrom: '#offset + :one',
          allocatedTo: '#offset + :one',
          version: ':version',
          versionOf: ':id',
          versionAt: ':acceptedAt',
          versionOffset: '#offset + :one',
          versionTakenAt: ':takenAt',
        },
        condition: `epoch = :epoch AND expiresAt > :now${resets ? '' : ` AND ${isNewest}`}`,
        values: {
          ':one': { N: '1' },
          ':version': { N: String(version) },
          ':id': { S: messageId },
          ':acceptedAt': { N: String(acceptedAtMs) },
          // Clocks differ.
          ':takenAt': { N: String(Math.max(now(), acceptedAtMs)) },
          ...(!resets && { ':same': { N: String(acceptedAtMs - KEY_WINDOW_MS) } }),
          ...(insteadOf !== undefined && { ':free': { N: String(insteadOf) } }),
          ':epoch': { S: epoch },
        },
      });
      if (item) return toAllocation(item, 1);
      const found = await read(topic);
      if (found?.epoch?.S !== epoch) return undefined;
      return (found.version?.N === String(version) && toHolder(found)) || 'stale';
    },
  };
}

interface HeadUpdate {
  readonly assign: Assignments<HeadItem>;
  readonly remove?: string;
  readonly condition: string;
  readonly values: Item;
}

const toHead = (item: Partial<HeadItem>): Head => ({
  epoch: String(item.epoch?.S),
  offset: Number(item.offset?.N),
  createdAtMs: Number(item.createdAt?.N),
  allocatedAtMs: Number(item.allocatedAt?.N),
  // Older code does not say it, and leaves what it finds.
  allocatedFrom: Number((item.allocatedTo?.N === item.offset?.N ? item.allocatedFrom : item.offset)?.N),
  previousAtMs: Number(item.previousAt?.N),
});

/** Undefined if older code took the version: it leaves as they are the attributes that it does not know. */
function toHolder({ versionOf, versionAt, ...item }: Partial<HeadItem>): Holder | undefined {
  const [acceptedAtMs, takenAtMs] = [Number(versionAt?.N), Number(item.versionTakenAt?.N)];
  // A version is not taken before its message was accepted.
  if (!(takenAtMs >= acceptedAtMs)) return undefined;
  return {
    messageId: String(versionOf?.S),
    acceptedAtMs,
    offset: Number(item.versionOffset?.N),
    takenAtMs,
  };
}

const toAllocation = (item: Partial<HeadItem>, count: number): Allocation => ({
  first: Number(item.offset?.N) - count + 1,
  previousAtMs: Number(item.previousAt?.N),
});
