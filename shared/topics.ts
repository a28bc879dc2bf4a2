import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { getAll, type Item } from './dynamo.ts';
import type { Shard } from './subscriptions.ts';
import { type Pattern, patternsCovering, type Topic } from './topic.ts';

/**
 * How long a topic's item outlives the subscription that renewed it. Nobody writes the item while it lasts longer
 * than their own subscription, so a busy topic costs one write an hour and not one a subscriber.
 */
const RENEWAL_SECONDS = 3600;

/** One item for every pattern that may have subscribers: how many shards they are spread over. */
export interface Topics {
  /** Makes sure that the item exists for as long as a subscription that ends then; answers with the number of shards. */
  ensure(pattern: Pattern, expiresAtSeconds: number): Promise<number>;
  /** Every shard that may hold a subscriber of `topic`, read consistently. */
  shardsCovering(topic: Topic): Promise<Shard[]>;
  shardsOf(pattern: Pattern): Promise<Shard[]>;
}

export function createTopics(client: DynamoDBClient, table: string, now: () => number): Topics {
  const shards = async (patterns: readonly Pattern[]): Promise<Shard[]> => {
    const items = await getAll(client, table, patterns.map(key));
    return items.filter((item) => expiryOf(item) * 1000 > now()).flatMap(shardsIn);
  };

  return {
    async ensure(pattern, expiresAtSeconds) {
      const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: key(pattern) }));
      if (Item && expiryOf(Item) >= expiresAtSeconds) return shardCount(Item);
      const { Attributes } = await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: key(pattern),
          UpdateExpression: 'SET shards = if_not_exists(shards, :one), expiresAt = :expiresAt',
          ExpressionAttributeValues: {
            ':one': { N: '1' },
            ':expiresAt': { N: String(expiresAtSeconds + RENEWAL_SECONDS) },
          },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return shardCount(Attributes ?? {});
    },

    shardsCovering: (topic) => shards(patternsCovering(topic)),
    shardsOf: (pattern) => shards([pattern]),
  };
}

const key = (pattern: Pattern): Item => ({ topic: { S: pattern } });
const expiryOf = ({ expiresAt }: Item): number => Number(expiresAt?.N ?? 0);
const shardCount = ({ shards }: Item): number => Number(shards?.N ?? 1);
const shardsIn = (item: Item): Shard[] =>
  Array.from({ length: shardCount(item) }, (_, shard) => ({ pattern: item.topic?.S as Pattern, shard }));
