import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { KEY_WINDOW_MS, type Position } from '../protocol/frames.ts';
import type { Topic } from '../protocol/topic.ts';
import { getAll, type Item, ifConditionHolds } from './dynamo.ts';

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
}

/** Offsets that are the caller's to decide, from `first` on. */
export interface Allocation {
  readonly first: number;
  /** When the offset below the first was allocated. */
  readonly previousAtMs: number;
}

/** Where the logs of topics end, and who gets the next offsets. Everything is read consistently. */
export interface Heads {
  head(topic: Topic): Promise<Head | undefined>;
  heads(topics: readonly Topic[]): Promise<(Log & Head)[]>;
  /** The topic's head; a topic that has none starts a log with this epoch. */
  open(topic: Topic, newEpoch: string): Promise<Head>;
  /** Takes `count` offsets; undefined if the log is not the topic's any more. */
  allocate(log: Log, count: number): Promise<Allocation | undefined>;
  /**
   * Takes an offset unless the topic has had a newer version, or this one of another message: then the answer is
   * `stale`.
   */
  allocateVersion(
    log: Log,
    version: number,
    message: { readonly messageId: string; readonly publishedAtMs: number },
  ): Promise<Allocation | 'stale' | undefined>;
}

/** A topic without publications is forgotten after this time: its positions are worth nothing from then on. */
export const HEAD_TTL_SECONDS = 30 * 86_400;

/** Heads are items of the topics table. */
export function createHeads(client: DynamoDBClient, table: string, now: () => number): Heads {
  const isLive = (item: Item | undefined): item is Item =>
    item !== undefined && Number(item.expiresAt?.N) * 1000 > now();
  const updateHead = async (
    topic: Topic,
    expression: string,
    condition: string,
    values: Item,
  ): Promise<Item | undefined> => {
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: key(topic),
          UpdateExpression: `SET expiresAt = :expiresAt, previousAt = if_not_exists(allocatedAt, :nowMs), allocatedAt = :nowMs, ${expression}`,
          ConditionExpression: condition,
          ExpressionAttributeNames: { '#offset': 'offset' },
          ExpressionAttributeValues: {
            // Rounded down, so that the conditions say what `isLive` says.
            ':now': { N: String(Math.floor(now() / 1000)) },
            ':nowMs': { N: String(now()) },
            ':expiresAt': { N: String(Math.ceil(now() / 1000) + HEAD_TTL_SECONDS) },
            ...values,
          },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated?.Attributes;
  };
  const head = async (topic: Topic): Promise<Head | undefined> => {
    const { Item } = await client.send(
      new GetItemCommand({ TableName: table, Key: key(topic), ConsistentRead: true }),
    );
    return isLive(Item) ? toHead(Item) : undefined;
  };

  return {
    head,

    async heads(topics) {
      const items = await getAll(client, table, topics.map(key));
      return items.filter(isLive).map((item) => ({ topic: topicIn(item), ...toHead(item) }));
    },

    async open(topic, newEpoch) {
      const found = await head(topic);
      if (found) return found;
      const opened = await updateHead(
        topic,
        'epoch = :epoch, #offset = :none, createdAt = :nowMs REMOVE version, versionOf, versionAt',
        'attribute_not_exists(epoch) OR expiresAt <= :now',
        { ':epoch': { S: newEpoch }, ':none': { N: '0' } },
      );
      const another = opened ? undefined : await head(topic);
      if (!opened && !another)
        throw new Error(`expected ${topic} to have a log once it was opened, got none`);
      return another ?? toHead(opened as Item);
    },

    async allocate({ topic, epoch }, count) {
      const item = await updateHead(
        topic,
        '#offset = #offset + :count',
        'epoch = :epoch AND expiresAt > :now',
        {
          ':count': { N: String(count) },
          ':epoch': { S: epoch },
        },
      );
      return item && toAllocation(item, count);
    },

    async allocateVersion({ topic, epoch }, version, { messageId, publishedAtMs }) {
      const isSame = 'version = :version AND versionOf = :id AND versionAt >= :same';
      const item = await updateHead(
        topic,
        '#offset = #offset + :one, version = :version, versionOf = :id, versionAt = :publishedAt',
        `epoch = :epoch AND expiresAt > :now AND (attribute_not_exists(version) OR version < :version OR (${isSame}))`,
        {
          ':one': { N: '1' },
          ':version': { N: String(version) },
          ':id': { S: messageId },
          ':publishedAt': { N: String(publishedAtMs) },
          ':same': { N: String(publishedAtMs - KEY_WINDOW_MS) },
          ':epoch': { S: epoch },
        },
      );
      if (item) return toAllocation(item, 1);
      return (await head(topic))?.epoch === epoch ? 'stale' : undefined;
    },
  };
}

/** `#` cannot occur in a topic. */
const key = (topic: Topic): Item => ({ topic: { S: `${topic}#log` } });
const topicIn = (item: Item): Topic => String(item.topic?.S).split('#')[0] as Topic;

const toHead = (item: Item): Head => ({
  epoch: String(item.epoch?.S),
  offset: Number(item.offset?.N),
  createdAtMs: Number(item.createdAt?.N),
  allocatedAtMs: Number(item.allocatedAt?.N),
});

const toAllocation = (item: Item, count: number): Allocation => ({
  first: Number(item.offset?.N) - count + 1,
  previousAtMs: Number(item.previousAt?.N),
});
