import { type DynamoDBClient, PutItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import { deleteAll, type Item } from './dynamo.ts';
import type { Shard } from './shards.ts';

export interface SubscriptionRow extends Shard {
  readonly connectionId: string;
}

/** One item a subscription, by shard and connection, so that the fan-out reads a shard with one consistent Query. */
export interface Subscriptions {
  put(row: SubscriptionRow, expiresAtSeconds: number): Promise<void>;
  delete(rows: readonly SubscriptionRow[]): Promise<void>;
  /** Connection ids of one shard, in pages, read consistently. */
  subscribers(shard: Shard): AsyncIterable<string[]>;
}

export function createSubscriptions(client: DynamoDBClient, table: string, now: () => number): Subscriptions {
  return {
    async put(row, expiresAtSeconds) {
      await client.send(
        new PutItemCommand({
          TableName: table,
          Item: { ...key(row), expiresAt: { N: String(expiresAtSeconds) } },
        }),
      );
    },

    delete: (rows) => deleteAll(client, table, rows.map(key)),

    async *subscribers(shard) {
      const pages = paginateQuery(
        { client },
        {
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: 'topicShard = :shard',
          ProjectionExpression: 'connectionId',
          FilterExpression: 'expiresAt > :now',
          ExpressionAttributeValues: {
            ':shard': { S: shardKey(shard) },
            ':now': { N: String(Math.floor(now() / 1000)) },
          },
        },
      );
      for await (const { Items } of pages) {
        yield (Items ?? []).flatMap(({ connectionId }) => connectionId?.S ?? []);
      }
    },
  };
}

/** `#` cannot occur in a topic. */
const shardKey = ({ pattern, shard }: Shard): string => `${pattern}#${shard}`;

const key = (row: SubscriptionRow): Item => ({
  topicShard: { S: shardKey(row) },
  connectionId: { S: row.connectionId },
});
