import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { chunks } from '../async.ts';
import { RefusedError, type RetryClock, type RetryLimits, untilTaken } from '../retry.ts';

/** A DynamoDB item or key, as the low-level client takes it: no marshalling on the hot path. */
export type Item = Record<string, AttributeValue>;

/** Limits of one BatchWriteItem and one BatchGetItem (DynamoDB API reference). */
const BATCH_WRITE_MAX = 25;
const BATCH_GET_MAX = 100;
/** For what a batch leaves undone. A route has 10 s for all of its calls; a call that is refused whole the SDK repeats. */
const RETRY_LIMITS: RetryLimits = { firstWaitMs: 50, waitMaxMs: 1_000, totalMs: 4_000 };

/** Deletes items by key. Deleting what is not there is no error. */
export async function deleteAll(
  client: DynamoDBClient,
  table: string,
  keys: readonly Item[],
  clock: RetryClock,
): Promise<void> {
  for (const chunk of chunks(keys, BATCH_WRITE_MAX)) {
    const deletes: WriteRequest[] = chunk.map((Key) => ({ DeleteRequest: { Key } }));
    const send = async (rest: readonly WriteRequest[]) => {
      const { UnprocessedItems } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: [...rest] } }),
      );
      return UnprocessedItems?.[table] ?? [];
    };
    expectNone(await untilTaken(deletes, send, RETRY_LIMITS, clock));
  }
}

/** Reads items by key, consistently. Those that do not exist are left out; the order is not kept. */
export async function getAll(
  client: DynamoDBClient,
  table: string,
  keys: readonly Item[],
  clock: RetryClock,
): Promise<Item[]> {
  const items: Item[] = [];
  for (const chunk of chunks(keys, BATCH_GET_MAX)) {
    const send = async (rest: readonly Item[]) => {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys: [...rest], ConsistentRead: true } } }),
      );
      items.push(...(Responses?.[table] ?? []));
      return UnprocessedKeys?.[table]?.Keys ?? [];
    };
    expectNone(await untilTaken(chunk, send, RETRY_LIMITS, clock));
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

function expectNone(left: readonly unknown[]): void {
  if (left.length === 0) return;
  throw new RefusedError(`expected DynamoDB to process all of the batch, got ${left.length} left over`);
}
