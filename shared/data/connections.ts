import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  paginateScan,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Pattern } from '../protocol/topic.ts';
import { ifConditionHolds } from './dynamo.ts';
import { unexpired } from './expiry.ts';
import type { SubscriptionRow } from './subscriptions.ts';
import { type ConnectionItem, connectionKey, type TokenAttributes, USER_INDEX } from './tables.ts';

/** API Gateway closes every connection after 2 hours; an item outlives that a little, so that none expires too early. */
export const CONNECTION_TTL_SECONDS = 2 * 3600 + 600;
/** A `$connect` integration may run 29 s. Until it has answered, @connections answers 410 for the new connection. */
export const HANDSHAKE_MAX_MS = 30_000;
/** How many connections one sweep looks at. Once a minute that is 33 requests/s of an account's default 10,000 (API Gateway quotas). */
export const SWEPT_MAX = 2_000;

/** When what is there for a connection may go, in epoch seconds: with its token, if that ends before it. */
export const connectionEndsAtSeconds = (connectedAtMs: number, tokenEndsAtMs = Infinity): number =>
  Math.ceil(Math.min(connectedAtMs + CONNECTION_TTL_SECONDS * 1000, tokenEndsAtMs) / 1000);

interface Connection extends HeldToken {
  readonly connectionId: string;
  readonly userId?: string;
  readonly connectedAtMs: number;
  /** With the grace; without it the connection lasts for as long as API Gateway lets it. */
  readonly tokenEndsAtMs?: number;
}

/** When a connection ends, in epoch milliseconds. */
interface Ending {
  readonly connectionId: string;
  readonly endsAtMs: number;
}
/** A token, as a connection's item has it; one that an earlier version has noted says nothing of itself. */
export interface HeldToken {
  readonly tokenId?: string;
  readonly issuedAtMs?: number;
}
/** What a connection goes on by. */
interface Held extends Pick<Ending, 'endsAtMs'> {
  /** The token that it was opened with, and then the one that it was renewed with, if any. */
  readonly tokens: readonly [HeldToken, ...HeldToken[]];
}

/**
 * The open connections. Each item lists the connection's subscriptions (pattern -> shard), which makes the limit on
 * them exact, keeps a repeated subscribe on its shard, and lets clean-up read them consistently.
 */
export interface Connections {
  open(connection: Connection): Promise<void>;
  /** Lists a subscription, unless it is listed already; answers with the shard that holds it. */
  addSubscription(
    connectionId: string,
    pattern: Pattern,
    shard: number,
    subscriptionsMax: number,
  ): Promise<number | 'limit_reached' | 'not_connected'>;
  /** The shard that holds a subscription, if the connection lists it; read consistently. */
  shardOf(connectionId: string, pattern: Pattern): Promise<number | undefined>;
  removeSubscription(connectionId: string, pattern: Pattern): Promise<void>;
  /**
   * Deletes the item and answers with the subscriptions that remain to be deleted; undefined if there was no item.
   * With `goneAtMs`, the time of a 410, an item whose handshake may have been pending at that time is kept.
   */
  close(connectionId: string, goneAtMs?: number): Promise<SubscriptionRow[] | undefined>;
  /** Whether there is an item, read consistently. */
  has(connectionId: string): Promise<boolean>;
  userOf(connectionId: string): Promise<string | undefined>;
  /** What a connection goes on by, also if it has ended; read consistently. */
  held(connectionId: string): Promise<Held | undefined>;
  /** Connections that end before a time, also those that have ended and are still there, in pages. */
  endingBefore(ms: number): AsyncIterable<Ending[]>;
  /** Connection ids of a user, in pages. */
  ofUser(userId: string): AsyncIterable<string[]>;
  /** Every connection id, in pages: for a message to everyone. */
  all(): AsyncIterable<string[]>;
  /** Up to `limit` connections from `startId` onwards in the table's own order, starting over at its end. */
  sample(startId: string, limit: number): Promise<Pick<Connection, 'connectionId' | 'connectedAtMs'>[]>;
}

export function createConnections(client: DynamoDBClient, table: string, now: () => number): Connections {
  const has = async (connectionId: string): Promise<boolean> => {
    const { Item } = await client.send(
      new GetItemCommand({
        TableName: table,
        Key: connectionKey(connectionId),
        ConsistentRead: true,
        ProjectionExpression: 'connectionId',
      }),
    );
    return Item !== undefined;
  };

  return {
    async open({ connectionId, userId, connectedAtMs, tokenEndsAtMs, tokenId, issuedAtMs }) {
      await client.send(
        new PutItemCommand({
          TableName: table,
          Item: {
            ...connectionKey(connectionId),
            ...(userId !== undefined && { userId: { S: userId } }),
            connectedAt: { N: String(connectedAtMs) },
            ...(tokenId !== undefined && { tokenId: { S: tokenId } }),
            ...(issuedAtMs !== undefined && { issuedAt: { N: String(issuedAtMs) } }),
            expiresAt: { N: String(connectionEndsAtSeconds(connectedAtMs, tokenEndsAtMs)) },
            subscriptions: { M: {} },
          } satisfies ConnectionItem,
        }),
      );
    },

    async addSubscription(connectionId, pattern, shard, subscriptionsMax) {
      const updated = await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            UpdateExpression: 'SET subscriptions.#pattern = if_not_exists(subscriptions.#pattern, :shard)',
            ConditionExpression:
              'attribute_exists(connectionId) AND (attribute_exists(subscriptions.#pattern) OR size(subscriptions) < :max)',
            ExpressionAttributeNames: { '#pattern': pattern },
            ExpressionAttributeValues: {
              ':shard': { N: String(shard) },
              ':max': { N: String(subscriptionsMax) },
            },
            ReturnValues: 'UPDATED_NEW',
          }),
        ),
      );
      if (!updated) return (await has(connectionId)) ? 'limit_reached' : 'not_connected';
      const held = shardIn(updated.Attributes, pattern);
      // `shard` in its place would put the row where nobody looks for it, if the connection has one elsewhere.
      if (held === undefined) {
        throw new Error(`expected UpdateItem to answer with the shard of ${pattern}, got none`);
      }
      return held;
    },

    async shardOf(connectionId, pattern) {
      const { Item } = await client.send(
        new GetItemCommand({
          TableName: table,
          Key: connectionKey(connectionId),
          ConsistentRead: true,
          ProjectionExpression: 'subscriptions.#pattern',
          ExpressionAttributeNames: { '#pattern': pattern },
        }),
      );
      return shardIn(Item, pattern);
    },

    async removeSubscription(connectionId, pattern) {
      await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            UpdateExpression: 'REMOVE subscriptions.#pattern',
            ConditionExpression: 'attribute_exists(connectionId)',
            ExpressionAttributeNames: { '#pattern': pattern },
          }),
        ),
      );
    },

    async close(connectionId, goneAtMs) {
      const deleted = await ifConditionHolds(
        client.send(
          new DeleteItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            ...(goneAtMs !== undefined && {
              // A connection that has subscribed was open. One that has not can be gone only once its handshake is over.
              ConditionExpression: 'connectedAt <= :settled OR size(subscriptions) > :none',
              ExpressionAttributeValues: {
                ':settled': { N: String(goneAtMs - HANDSHAKE_MAX_MS) },
                ':none': { N: '0' },
              },
            }),
            ReturnValues: 'ALL_OLD',
          }),
        ),
      );
      return deleted?.Attributes && rowsOf(connectionId, deleted.Attributes);
    },

    has,

    async userOf(connectionId) {
      const { Item } = await client.send(
        new GetItemCommand({
          TableName: table,
          Key: connectionKey(connectionId),
          ProjectionExpression: 'userId',
        }),
      );
      return Item?.userId?.S;
    },

    async held(connectionId) {
      const { Item } = await client.send(
        new GetItemCommand({
          TableName: table,
          Key: connectionKey(connectionId),
          ConsistentRead: true,
          ProjectionExpression: 'expiresAt, tokenId, issuedAt, renewed',
        }),
      );
      return Item && heldIn(Item as Partial<ConnectionItem>);
    },

    async *endingBefore(ms) {
      const scan = {
        TableName: table,
        FilterExpression: 'expiresAt < :before',
        ExpressionAttributeValues: { ':before': { N: String(Math.ceil(ms / 1000)) } },
        ProjectionExpression: 'connectionId, expiresAt',
      };
      for await (const { Items = [] } of paginateScan({ client }, scan)) {
        yield Items.map((item) => ({
          connectionId: String(item.connectionId?.S),
          endsAtMs: endsAtMsOf(item),
        }));
      }
    },

    async *ofUser(userId) {
      const { ExpressionAttributeValues, ...filter } = unexpired(now());
      const pages = paginateQuery(
        { client },
        {
          TableName: table,
          ...filter,
          IndexName: USER_INDEX,
          ProjectionExpression: 'connectionId',
          KeyConditionExpression: 'userId = :user',
          ExpressionAttributeValues: { ...ExpressionAttributeValues, ':user': { S: userId } },
        },
      );
      for await (const { Items } of pages) yield ids(Items);
    },

    async *all() {
      const scan = { TableName: table, ...unexpired(now()), ProjectionExpression: 'connectionId' };
      const pages = paginateScan({ client }, scan);
      for await (const { Items } of pages) yield ids(Items);
    },

    async sample(startId, limit) {
      const found = new Map<string, number>();
      for (const start of [{ ExclusiveStartKey: connectionKey(startId) }, {}]) {
        if (found.size === limit) break;
        const scan = {
          TableName: table,
          ...unexpired(now()),
          ...start,
          ProjectionExpression: 'connectionId, connectedAt',
        };
        for await (const { Items = [] } of paginateScan({ client, pageSize: limit }, scan)) {
          for (const { connectionId, connectedAt } of Items) {
            if (found.size < limit) found.set(String(connectionId?.S), Number(connectedAt?.N));
          }
          if (found.size === limit) break;
        }
      }
      return [...found].map(([connectionId, connectedAtMs]) => ({ connectionId, connectedAtMs }));
    },
  };
}

const ids = (items: readonly Partial<ConnectionItem>[] | undefined): string[] =>
  (items ?? []).flatMap(({ connectionId }) => connectionId?.S ?? []);

const shardIn = (item: Partial<ConnectionItem> | undefined, pattern: Pattern): number | undefined => {
  const shard = item?.subscriptions?.M?.[pattern]?.N;
  return shard === undefined ? undefined : Number(shard);
};

const endsAtMsOf = ({ expiresAt }: { readonly expiresAt?: { readonly N?: string | undefined } }): number =>
  Number(expiresAt?.N) * 1000;

function heldIn({ renewed, ...item }: Partial<ConnectionItem>): Held {
  return { endsAtMs: endsAtMsOf(item), tokens: [tokenIn(item), ...(renewed ? [tokenIn(renewed.M)] : [])] };
}

const tokenIn = ({ tokenId, issuedAt }: TokenAttributes): HeldToken => ({
  ...(tokenId && { tokenId: tokenId.S }),
  ...(issuedAt && { issuedAtMs: Number(issuedAt.N) }),
});

const rowsOf = (connectionId: string, { subscriptions }: Partial<ConnectionItem>): SubscriptionRow[] =>
  Object.entries(subscriptions?.M ?? {}).map(([pattern, { N }]) => ({
    connectionId,
    pattern: pattern as Pattern,
    shard: Number(N),
  }));
