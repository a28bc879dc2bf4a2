import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { mapAll } from '../async.ts';
import type { CompleteLimits } from '../protocol/limits.ts';
import { CONNECTION_TTL_SECONDS } from './connections.ts';
import { type Item, ifConditionHolds } from './dynamo.ts';
import { expiryAfter, isLive } from './expiry.ts';
import {
  CONNECTION_COUNT_KEY,
  type ConnectionCountItem,
  connectionKey,
  type UserConnectionsItem,
  userConnectionsKey,
} from './tables.ts';

/** A connection, and whose it is if that is verified. */
interface Admitted {
  readonly connectionId: string;
  readonly userId?: string | undefined;
}

/**
 * The places for connections. Those of a user are exact: no two handshakes get the same one, and one is free again when
 * its connection's item is gone or has expired. Those of all connections are counted: what comes and goes unnoticed, or
 * while they are counted anew, makes the number wrong until the next sweep. Where nothing is limited nothing is written.
 */
export interface Admissions {
  /** Takes one of the places that all have; false if there is none. */
  enter(): Promise<boolean>;
  /** Takes one of the places of its user, for a connection that has its item; false if there is none. */
  join(connection: Admitted): Promise<boolean>;
  /** Gives back both. */
  leave(connection: Admitted): Promise<void>;
  /** Counts the connections; answers with by how much the number was wrong. */
  mend(connections: AsyncIterable<readonly string[]>): Promise<number>;
}

export interface AdmissionTables {
  readonly accessTable: string;
  readonly connectionsTable: string;
}

const READS_IN_FLIGHT_MAX = 20;

export function createAdmissions(
  client: Pick<DynamoDBClient, 'send'>,
  { accessTable, connectionsTable }: AdmissionTables,
  {
    connections: max,
    connectionsPerUser: perUser,
  }: Pick<CompleteLimits, 'connections' | 'connectionsPerUser'>,
  now: () => number,
): Admissions {
  /** False if the condition does not hold. */
  const update = async (key: Item, expression: string, condition: string, values: Item): Promise<boolean> => {
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: accessTable,
          Key: key,
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeValues: values,
        }),
      ),
    );
    return updated !== undefined;
  };
  const read = async (table: string, key: Item): Promise<Item | undefined> => {
    const { Item } = await client.send(
      new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }),
    );
    return Item;
  };

  const addTo = (userId: string, connectionId: string, placesMax: number) =>
    update(
      userConnectionsKey(userId),
      'ADD connectionIds :ids SET expiresAt = :expiresAt',
      'attribute_not_exists(connectionIds) OR size(connectionIds) < :max',
      {
        ':ids': { SS: [connectionId] },
        ':max': { N: String(placesMax) },
        ':expiresAt': expiryAfter(CONNECTION_TTL_SECONDS, now()),
      },
    );
  const removeFrom = (userId: string, connectionIds: string[]) =>
    update(userConnectionsKey(userId), 'DELETE connectionIds :ids', 'attribute_exists(id)', {
      ':ids': { SS: connectionIds },
    });
  /** False if all of them are there still. */
  const removeClosed = async (userId: string): Promise<boolean> => {
    const item: Partial<UserConnectionsItem> = (await read(accessTable, userConnectionsKey(userId))) ?? {};
    const closed = await mapAll(item.connectionIds?.SS ?? [], READS_IN_FLIGHT_MAX, async (connectionId) =>
      isLive(await read(connectionsTable, connectionKey(connectionId)), now()) ? [] : [connectionId],
    );
    if (closed.flat().length === 0) return false;
    return removeFrom(userId, closed.flat());
  };

  const countNow = async (): Promise<number> => {
    const item: Partial<ConnectionCountItem> = (await read(accessTable, CONNECTION_COUNT_KEY)) ?? {};
    return Number(item.connectionCount?.N ?? 0);
  };
  const addToCount = (by: number, condition: string, bound: number) =>
    update(CONNECTION_COUNT_KEY, 'ADD connectionCount :by', condition, {
      ':by': { N: String(by) },
      ':bound': { N: String(bound) },
    });

  return {
    async enter() {
      if (max === undefined) return true;
      return addToCount(1, 'attribute_not_exists(connectionCount) OR connectionCount < :bound', max);
    },

    async join({ connectionId, userId }) {
      if (perUser === undefined || userId === undefined) return true;
      if (await addTo(userId, connectionId, perUser)) return true;
      return (await removeClosed(userId)) && addTo(userId, connectionId, perUser);
    },

    async leave({ connectionId, userId }) {
      if (max !== undefined) await addToCount(-1, 'connectionCount > :bound', 0);
      if (perUser !== undefined && userId !== undefined) await removeFrom(userId, [connectionId]);
    },

    async mend(connections) {
      if (max === undefined) return 0;
      const before = await countNow();
      let counted = 0;
      for await (const page of connections) counted += page.length;
      const after = await countNow();
      // Who came and who went meanwhile may have been counted or not.
      const [least, most] = [Math.min(before, after), Math.max(before, after)];
      const by = counted < least ? counted - least : Math.max(0, counted - most);
      if (by !== 0)
        await addToCount(by, 'attribute_not_exists(connectionCount) OR connectionCount >= :bound', -by);
      return by;
    },
  };
}
