import { setTimeout as delay } from 'node:timers/promises';
import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { chunks } from '../async.ts';

/** A DynamoDB item or key, as the low-level client takes it: no marshalling on the hot path. */
export type Item = Record<string, AttributeValue>;

/** Limits of one BatchWriteItem and one BatchGetItem (DynamoDB API reference). */
const BATCH_WRITE_MAX = 25;
const BATCH_GET_MAX = 100;
/** A batch may answer 200 and leave some requests undone; after this many tries that is an error. */
const BATCH_TRIES_MAX = 6;
const BATCH_BACKOFF_MS = 50;

/** Deletes items by key. Deleting what is not there is no error. */
export async function deleteAll(client: DynamoDBClient, table: string, keys: readonly Item[]): Promise<void> {
  for (const chunk of chunks(keys, BATCH_WRITE_MAX)) {
    const deletes: WriteRequest[] = chunk.map((Key) => ({ DeleteRequest: { Key } }));
    await untilDone(deletes, async (rest) => {
      const { UnprocessedItems } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: rest } }),
      );
      return UnprocessedItems?.[table] ?? [];
    });
  }
}

/** Reads items by key, consistently. Those that do not exist are left out; the order is not kept. */
export async function getAll(client: DynamoDBClient, table: string, keys: readonly Item[]): Promise<Item[]> {
  const items: Item[] = [];
  for (const chunk of chunks(keys, BATCH_GET_MAX)) {
    await untilDone(chunk, async (rest) => {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys: [...rest], ConsistentRead: true } } }),
      );
      items.push(...(Responses?.[table] ?? []));
      return UnprocessedKeys?.[table]?.Keys ?? [];
    });
  }
  return items;
}

/** What attributes of a kind of item are set to, in the words of an UpdateExpression. */
export type Assignments<I> = { readonly [A in keyof I & string as A | `#${A}`]?: string };

/** The `SET` of an UpdateExpression. */
export const set = <I>(assignments: Assignments<I>): string =>
  `SET ${Object.entries(assignments)
    .map(([attribute, value]) => `${attribute} = ${value}`)
    .join(', ')}`;

/** A condition that does not hold is an answer, not a failure. */
export async function ifConditionHolds<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
}

async function untilDone<T>(requests: readonly T[], send: (rest: T[]) => Promise<T[]>): Promise<void> {
  let rest = [...requests];
  for (let tries = 0; rest.length > 0; tries++) {
    if (tries === BATCH_TRIES_MAX) {
      throw new Error(
        `expected DynamoDB to process the batch in ${tries} tries, got ${rest.length} left over`,
      );
    }
    if (tries > 0) await delay(BATCH_BACKOFF_MS * 2 ** tries);
    rest = await send(rest);
  }
}
