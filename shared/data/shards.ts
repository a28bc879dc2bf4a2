import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type Pattern, patternOf, patternsCovering, type Topic } from '../protocol/topic.ts';
import type { RetryClock } from '../retry.ts';
import { getAll, type Item, ifConditionHolds, set } from './dynamo.ts';
import { isLive } from './expiry.ts';
import { type ShardsItem, shardsKey } from './tables.ts';

/** A part of a pattern's subscribers, by its number from 0: a pattern with many is spread over several. */
export interface Shard {
  readonly pattern: Pattern;
  readonly shard: number;
}

/**
 * How long an item outlives the subscription that renewed it. It is not written again for a subscription that ends
 * before it does, so a busy topic costs one write an hour and not one a subscriber.
 */
const RENEWAL_SECONDS = 3600;

/** How long a number of shards that was read may be used: it only grows, so an old one leads to a shard that exists. */
export const FRESH_MS = 5_000;
/** Every message to a topic reads all of its shards. */
export const SHARDS_MAX = 256;
export const SHARDS_IN_FLIGHT_MAX = 16;
const KNOWN_MAX = 1_000;

interface Known {
  readonly shards: number;
  /** The item exists until then at least: its expiry is only ever moved to a later time. */
  readonly expiresAtSeconds: number;
  readonly readAtMs: number;
}

/** Over how many shards the subscribers of each pattern are spread. */
export interface Shards {
  /**
   * Makes the pattern's item exist until a subscription expires; answers with the number of shards. `beforeNew` may
   * throw to have none made.
   */
  ensure(pattern: Pattern, expiresAtSeconds: number, beforeNew?: () => Promise<void>): Promise<number>;
  /**
   * Every shard that may hold a subscriber of `topic`, read consistently: one key of the table for each pattern, which
   * without wildcards is the topic alone.
   */
  covering(topic: Topic, wildcards?: boolean): Promise<Shard[]>;
  of(pattern: Pattern): Promise<Shard[]>;
  /**
   * Spreads new subscribers of the pattern over so many shards, unless there are as many or more. Nothing is moved:
   * the shards that were there remain and are read, so no subscriber is missed.
   */
  grow(pattern: Pattern, shards: number): Promise<void>;
}

export function createShards(client: DynamoDBClient, table: string, clock: RetryClock): Shards {
  const { now } = clock;
  const shardsOf = async (patterns: readonly Pattern[]): Promise<Shard[]> => {
    const items = await getAll(client, table, patterns.map(shardsKey), clock);
    return items.filter((item) => isLive(item, now())).flatMap(shardsIn);
  };

  /** When many subscribe to a topic within a short time, its item is read once for all of them. */
  const known = new Map<Pattern, Known>();
  const remember = (pattern: Pattern, item: Partial<ShardsItem>): number => {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(pattern, { shards: shardCount(item), expiresAtSeconds: expiryOf(item), readAtMs: now() });
    return shardCount(item);
  };

  /** Only ever to a later time: there may be subscriptions that last longer than this one. */
  const extend = async (pattern: Pattern, expiresAtSeconds: number): Promise<Item | undefined> => {
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: shardsKey(pattern),
          UpdateExpression: set<ShardsItem>({
            shards: 'if_not_exists(shards, :one)',
            expiresAt: ':expiresAt',
          }),
          ConditionExpression: 'attribute_not_exists(expiresAt) OR expiresAt < :expiresAt',
          ExpressionAttributeValues: {
            ':one': { N: '1' },
            ':expiresAt': { N: String(expiresAtSeconds) },
          },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated?.Attributes;
  };

  return {
    async ensure(pattern, expiresAtSeconds, beforeNew) {
      const last = known.get(pattern);
      if (last && last.expiresAtSeconds >= expiresAtSeconds && now() - last.readAtMs < FRESH_MS) {
        return last.shards;
      }
      const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: shardsKey(pattern) }));
      if (Item && expiryOf(Item) >= expiresAtSeconds) return remember(pattern, Item);
      if (!isLive(Item, now())) await beforeNew?.();
      const extended = await extend(pattern, expiresAtSeconds + RENEWAL_SECONDS);
      if (extended) return remember(pattern, extended);
      // Somebody has just moved it to a later time.
      const { Item: later } = await client.send(
        new GetItemCommand({ TableName: table, Key: shardsKey(pattern), ConsistentRead: true }),
      );
      if (!later) throw new Error(`expected the item of ${pattern} to be there still, got none`);
      return remember(pattern, later);
    },

    covering: (topic, wildcards = true) => shardsOf(wildcards ? patternsCovering(topic) : [patternOf(topic)]),
    of: (pattern) => shardsOf([pattern]),

    async grow(pattern, shards) {
      await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: shardsKey(pattern),
            UpdateExpression: set<ShardsItem>({ shards: ':shards' }),
            // An item that has expired meanwhile starts over with one shard.
            ConditionExpression: 'shards < :shards',
            ExpressionAttributeValues: { ':shards': { N: String(shards) } },
          }),
        ),
      );
    },
  };
}

const expiryOf = ({ expiresAt }: Partial<ShardsItem>): number => Number(expiresAt?.N ?? 0);
const shardCount = ({ shards }: Partial<ShardsItem>): number => Number(shards?.N ?? 1);
const shardsIn = (item: Partial<ShardsItem>): Shard[] =>
  Array.from({ length: shardCount(item) }, (_, shard) => ({ pattern: item.topic?.S as Pattern, shard }));
