import { type DynamoDBClient, PutItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import type { RetryClock } from '../retry.ts';
import { deleteAll } from './dynamo.ts';
import { unexpired } from './expiry.ts';
import type { Shard } from './shards.ts';
import { type SubscriptionItem, shardName, subscriptionKey } from './tables.ts';

export interface SubscriptionRow extends Shard {
  readonly connectionId: string;
}

/** The subscriptions, by shard: the fan-out reads a shard with one consistent Query. */
export interface Subscriptions {
  put(row: SubscriptionRow, expiresAtSeconds: number): Promise<void>;
  delete(rows: readonly SubscriptionRow[]): Promise<void>;
  /** Connection ids of one shard, in pages, read consistently. */
  subscribers(shard: Shard): AsyncIterable<string[]>;
}

export function createSubscriptions(client: DynamoDBClient, table: string, clock: RetryClock): Subscriptions {
  return {
    async put(row, expiresAtSeconds) {
      await client.send(
        new PutItemCommand({
          TableName: table,
          Item: {
            ...subscriptionKey(row, row.connectionId),
            expiresAt: { N: String(expiresAtSeconds) },
          } satisfies SubscriptionItem,
        }),
      );
    },

    delete: (rows) =>
      deleteAll(
        client,
        table,
        rows.map((row) => subscriptionKey(row, row.connectionId)),
        clock,
      ),

    async *subscribers(shard) {
      const { ExpressionAttributeValues, ...filter } = unexpired(clock.now());
      const pages = paginateQuery(
        { client },
        {
          TableName: table,
          ...filter,
          ConsistentRead: true,
          KeyConditionExpression: 'topicShard = :shard',
          ProjectionExpression: 'connectionId',
          ExpressionAttributeValues: { ...ExpressionAttributeValues, ':shard': { S: shardName(shard) } },
        },
      );
      for await (const { Items } of pages) {
        yield (Items ?? []).flatMap(({ connectionId }) => connectionId?.S ?? []);
      }
    },
  };
}
