import {
  type DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { RetryClock } from '../retry.ts';
import { deleteAll, ifConditionHolds, set } from './dynamo.ts';
import { nowInSeconds, unexpired } from './expiry.ts';
import type { Shard } from './shards.ts';
import { type SubscriptionItem, shardName, subscriptionKey } from './tables.ts';

export interface SubscriptionRow extends Shard {
  readonly connectionId: string;
}

/** How long ago a subscription ended that is over: longer than clocks are apart. */
const OVER_SECONDS = 3_600;
/** The second time no subscribe can be in between: if nothing is done then, a later renewal has done it. */
const SETTLE_ATTEMPTS = 2;

/** The subscriptions, by shard: the fan-out reads a shard with one consistent Query. */
export interface Subscriptions {
  /**
   * Writes a row, by what its connection was allowed after so many renewals; false if a later renewal has decided about
   * it meanwhile.
   */
  put(row: SubscriptionRow, expiresAtSeconds: number, renewals?: number): Promise<boolean>;
  /**
   * Gives a row the end that a renewal of its connection decides on, or ends it. One that is not there, or has ended, is
   * not made to live: if a subscribe is about to write it by what was allowed before, its `put` answers with false.
   */
  settle(row: SubscriptionRow, expiresAtSeconds: number | 'over', renewals: number): Promise<void>;
  delete(rows: readonly SubscriptionRow[]): Promise<void>;
  /** Connection ids of one shard, in pages, read consistently. */
  subscribers(shard: Shard): AsyncIterable<string[]>;
}

export function createSubscriptions(client: DynamoDBClient, table: string, clock: RetryClock): Subscriptions {
  /** Whether the row was as `condition` has it, and no other renewal has been faster. */
  const decide = async (
    row: SubscriptionRow,
    expiresAtSeconds: number,
    renewals: number,
    condition?: string,
  ): Promise<boolean> => {
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: subscriptionKey(row, row.connectionId),
          UpdateExpression: set<SubscriptionItem>({ expiresAt: ':end', renewals: ':renewals' }),
          ConditionExpression: `(attribute_not_exists(renewals) OR renewals < :renewals)${condition ? ` AND (${condition})` : ''}`,
          ExpressionAttributeValues: {
            ':end': { N: String(expiresAtSeconds) },
            ':renewals': { N: String(renewals) },
            ...(condition && { ':now': nowInSeconds(clock.now()) }),
          },
        }),
      ),
    );
    return updated !== undefined;
  };
  /** By any clock. */
  const past = (): number => Math.floor(clock.now() / 1000) - OVER_SECONDS;

  return {
    async put(row, expiresAtSeconds, renewals = 0) {
      const put = await ifConditionHolds(
        client.send(
          new PutItemCommand({
            TableName: table,
            Item: {
              ...subscriptionKey(row, row.connectionId),
              ...(renewals > 0 && { renewals: { N: String(renewals) } }),
              expiresAt: { N: String(expiresAtSeconds) },
            } satisfies SubscriptionItem,
            ConditionExpression: 'attribute_not_exists(renewals) OR renewals <= :renewals',
            ExpressionAttributeValues: { ':renewals': { N: String(renewals) } },
          }),
        ),
      );
      return put !== undefined;
    },

    async settle(row, expiresAtSeconds, renewals) {
      if (expiresAtSeconds === 'over') {
        await decide(row, past(), renewals);
        return;
      }
      for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
        if (await decide(row, expiresAtSeconds, renewals, 'expiresAt > :now')) return;
        const isNotLive = 'attribute_not_exists(topicShard) OR expiresAt <= :now';
        if (await decide(row, past(), renewals, isNotLive)) return;
      }
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
