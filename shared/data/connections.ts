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
import { type Item, ifConditionHolds, set } from './dynamo.ts';
import { nowInSeconds, unexpired } from './expiry.ts';
import {
  endItem,
  endsAtMsOf,
  type Held,
  type HeldToken,
  heldIn,
  type OwnEnd,
  type RenewedToken,
  renewedItem,
  type Standing,
  standingIn,
} from './standing.ts';
import type { SubscriptionRow } from './subscriptions.ts';
import { type ConnectionItem, connectionKey, USER_INDEX } from './tables.ts';

/** API Gateway closes every connection after 2 hours; an item outlives that a little, so that none expires too early. */
export const CONNECTION_TTL_SECONDS = 2 * 3600 + 600;
/** A `$connect` integration may run 29 s. Until it has answered, @connections answers 410 for the new connection. */
export const HANDSHAKE_MAX_MS = 30_000;
/** How many connections one sweep looks at. Once a minute that is 33 requests/s of an account's default 10,000 (API Gateway quotas). */
export const SWEPT_MAX = 2_000;

/** Between two renewals of a connection: each one writes for every subscription, and may put a check into the queue. */
export const RENEWAL_PAUSE_MS = 5_000;

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
/**
 * The open connections. Each item lists the connection's subscriptions (pattern -> shard), which makes the limit on
 * them exact, keeps a repeated subscribe on its shard, and lets clean-up read them consistently.
 */
export interface Connections {
  open(connection: Connection): Promise<void>;
  /**
   * Lists a subscription, unless it is listed already, with the end of the grant that it comes with; answers with the
   * shard that holds it, and what holds by then.
   */
  addSubscription(
    connectionId: string,
    pattern: Pattern,
    shard: number,
    subscriptionsMax: number,
    end?: OwnEnd,
  ): Promise<{ readonly shard: number; readonly standing: Standing } | 'limit_reached' | 'not_connected'>;
  /** Notes when a subscription that is listed ends on its own, without a grant, or that it does not. */
  noteEnd(connectionId: string, pattern: Pattern, end: OwnEnd | undefined): Promise<void>;
  /** The same, unless another end has been noted meanwhile. */
  replaceEnd(
    connectionId: string,
    pattern: Pattern,
    end: OwnEnd | undefined,
    before: OwnEnd | undefined,
  ): Promise<void>;
  /** The shard that holds a subscription, if the connection lists it; read consistently. */
  shardOf(connectionId: string, pattern: Pattern): Promise<number | undefined>;
  removeSubscription(connectionId: string, pattern: Pattern): Promise<void>;
  /**
   * Deletes the item and answers with the subscriptions that remain to be deleted; undefined if there was no item.
   * With `goneAtMs`, the time of a 410, an item whose handshake may have been pending at that time is kept.
   */
  close(connectionId: string, goneAtMs?: number): Promise<SubscriptionRow[] | undefined>;
  /** Undefined if there is no item; read consistently. */
  standing(connectionId: string): Promise<Standing | undefined>;
  /**
   * Notes a token, unless the one before was noted just now; undefined if the connection has ended. Subscriptions are to be
   * settled by what is the answer.
   */
  renew(
    connectionId: string,
    token: RenewedToken,
  ): Promise<
    | { readonly standing: Standing; readonly rows: readonly SubscriptionRow[] }
    | { readonly retryAfterMs: number }
    | undefined
  >;
  /** What comes last in a renewal: until then the connection ends when it would have ended. False after another renewal. */
  endAt(connectionId: string, expiresAtSeconds: number, renewals: number): Promise<boolean>;
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
  /** Read consistently: undefined if there is no item. */
  const read = async (
    connectionId: string,
    projection: string,
    names?: Readonly<Record<string, string>>,
  ): Promise<Partial<ConnectionItem> | undefined> => {
    const { Item } = await client.send(
      new GetItemCommand({
        TableName: table,
        Key: connectionKey(connectionId),
        ConsistentRead: true,
        ProjectionExpression: projection,
        ...(names && { ExpressionAttributeNames: names }),
      }),
    );
    return Item as Partial<ConnectionItem> | undefined;
  };
  const has = async (connectionId: string, attribute: keyof ConnectionItem): Promise<boolean> =>
    (await read(connectionId, attribute))?.[attribute] !== undefined;

  const setEnd = async (
    connectionId: string,
    pattern: Pattern,
    end: OwnEnd | undefined,
    condition: string,
    values: Item,
  ): Promise<void> => {
    await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: connectionKey(connectionId),
          UpdateExpression: end === undefined ? 'REMOVE ends.#pattern' : 'SET ends.#pattern = :end',
          // Of one that is not listed any more nobody would remove the end.
          ConditionExpression: end ? `${condition} AND attribute_exists(subscriptions.#pattern)` : condition,
          ExpressionAttributeNames: { '#pattern': pattern },
          ...((end || Object.keys(values).length > 0) && {
            ExpressionAttributeValues: { ...values, ...(end && { ':end': endItem(end) }) },
          }),
        }),
      ),
    );
  };

  /** Undefined if the connection has ended. */
  const renewableAfter = async (
    connectionId: string,
    nowMs: number,
  ): Promise<{ readonly retryAfterMs: number } | undefined> => {
    const item = await read(connectionId, 'expiresAt, renewedAt');
    if (!item || endsAtMsOf(item) <= nowMs) return undefined;
    const sinceMs = Math.max(0, nowMs - Number(item.renewedAt?.N));
    return { retryAfterMs: Math.max(1, RENEWAL_PAUSE_MS - sinceMs) };
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
            ends: { M: {} },
          } satisfies ConnectionItem,
        }),
      );
    },

    async addSubscription(connectionId, pattern, shard, subscriptionsMax, end) {
      const updated = await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            UpdateExpression: `SET subscriptions.#pattern = if_not_exists(subscriptions.#pattern, :shard)${end ? ', ends.#pattern = :end' : ''}`,
            ConditionExpression: `attribute_exists(${end ? 'ends' : 'connectionId'}) AND (attribute_exists(subscriptions.#pattern) OR size(subscriptions) < :max)`,
            ExpressionAttributeNames: { '#pattern': pattern },
            ExpressionAttributeValues: {
              ':shard': { N: String(shard) },
              ':max': { N: String(subscriptionsMax) },
              ...(end && { ':end': endItem(end) }),
            },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      );
      // An item of an earlier version has no place for an end: its client takes another connection.
      const needed = end ? 'ends' : 'connectionId';
      if (!updated) return (await has(connectionId, needed)) ? 'limit_reached' : 'not_connected';
      const held = shardIn(updated.Attributes, pattern);
      // `shard` in its place would put the row where nobody looks for it, if the connection has one elsewhere.
      if (held === undefined) {
        throw new Error(`expected UpdateItem to answer with the shard of ${pattern}, got none`);
      }
      return { shard: held, standing: standingIn(updated.Attributes ?? {}) };
    },

    async noteEnd(connectionId, pattern, end) {
      await setEnd(connectionId, pattern, end, 'attribute_exists(ends)', {});
    },

    async replaceEnd(connectionId, pattern, end, before) {
      const condition =
        before === undefined
          ? 'attribute_exists(ends) AND attribute_not_exists(ends.#pattern)'
          : 'ends.#pattern.expiresAt = :before';
      await setEnd(connectionId, pattern, end, condition, {
        ...(before && { ':before': endItem(before).M.expiresAt }),
      });
    },

    async shardOf(connectionId, pattern) {
      return shardIn(await read(connectionId, 'subscriptions.#pattern', { '#pattern': pattern }), pattern);
    },

    async removeSubscription(connectionId, pattern) {
      const remove = (UpdateExpression: string, ConditionExpression: string) =>
        ifConditionHolds(
          client.send(
            new UpdateItemCommand({
              TableName: table,
              Key: connectionKey(connectionId),
              UpdateExpression,
              ConditionExpression,
              ExpressionAttributeNames: { '#pattern': pattern },
            }),
          ),
        );
      const removed = await remove('REMOVE subscriptions.#pattern, ends.#pattern', 'attribute_exists(ends)');
      // Of an earlier version, without ends.
      if (!removed) await remove('REMOVE subscriptions.#pattern', 'attribute_exists(connectionId)');
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

    async standing(connectionId) {
      const item = await read(connectionId, 'connectionId, renewed, renewals, ends');
      return item && standingIn(item);
    },

    async renew(connectionId, token) {
      const nowMs = now();
      const renewed = await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            UpdateExpression:
              'SET renewed = :token, renewedAt = :at, renewals = if_not_exists(renewals, :zero) + :one, ends = if_not_exists(ends, :none)',
            // The last is this request once more: the SDK repeats one whose answer was lost.
            ConditionExpression:
              'expiresAt > :now AND (attribute_not_exists(renewedAt) OR renewedAt <= :before OR (renewedAt = :at AND renewed.tokenId = :id))',
            ExpressionAttributeValues: {
              ':token': renewedItem(token),
              ':id': { S: token.tokenId },
              ':at': { N: String(nowMs) },
              ':before': { N: String(nowMs - RENEWAL_PAUSE_MS) },
              ':zero': { N: '0' },
              ':one': { N: '1' },
              ':none': { M: {} },
              ':now': nowInSeconds(nowMs),
            },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      );
      const item = renewed?.Attributes;
      if (item) return { standing: standingIn(item), rows: rowsOf(connectionId, item) };
      return renewableAfter(connectionId, nowMs);
    },

    async endAt(connectionId, expiresAtSeconds, renewals) {
      const updated = await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: connectionKey(connectionId),
            UpdateExpression: set<ConnectionItem>({ expiresAt: ':end' }),
            ConditionExpression: 'renewals = :renewals',
            ExpressionAttributeValues: {
              ':end': { N: String(expiresAtSeconds) },
              ':renewals': { N: String(renewals) },
            },
          }),
        ),
      );
      return updated !== undefined;
    },

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
      const item = await read(connectionId, 'expiresAt, tokenId, issuedAt, renewed, ends');
      return item && heldIn(item);
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

const rowsOf = (connectionId: string, { subscriptions }: Partial<ConnectionItem>): SubscriptionRow[] =>
  Object.entries(subscriptions?.M ?? {}).map(([pattern, { N }]) => ({
    connectionId,
    pattern: pattern as Pattern,
    shard: Number(N),
  }));
