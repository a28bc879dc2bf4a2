import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { ifConditionHolds, set } from './dynamo.ts';
import { POSTS_KEY, type PostsItem } from './tables.ts';

/**
 * One schedule of posts for all workers: whoever takes a span of it posts within that span and nobody else does.
 * Times are epoch milliseconds.
 */
export interface Budget {
  /**
   * Takes the next free span and answers with its start, or with undefined if that is more than `backlogMs` away.
   */
  take(spanMs: number, backlogMs: number): Promise<number | undefined>;
}

/** Somebody else's write can come in between; each of these makes one of the two conditions true. */
const TRIES_MAX = 4;
/** Far enough that no schedule reaches it. */
const FOREVER_MS = 1e15;

export function createBudget(client: Pick<DynamoDBClient, 'send'>, table: string, now: () => number): Budget {
  const update = async (
    freeAt: string,
    condition: string,
    values: Readonly<Record<string, number>>,
  ): Promise<number | undefined> => {
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: POSTS_KEY,
          UpdateExpression: set<PostsItem>({ freeAt }),
          ConditionExpression: condition,
          ExpressionAttributeValues: Object.fromEntries(
            Object.entries(values).map(([name, value]) => [name, { N: value.toFixed(3) }]),
          ),
          ReturnValues: 'UPDATED_NEW',
        }),
      ),
    );
    return updated && Number(updated.Attributes?.freeAt?.N);
  };

  /** The schedule reaches into the future: the span goes to its end. */
  const append = (spanMs: number, backlogMs: number) =>
    update('freeAt + :span', 'freeAt BETWEEN :now AND :latest', {
      ':span': spanMs,
      ':now': now(),
      ':latest': Math.min(now() + backlogMs, FOREVER_MS),
    });
  /** Nobody has taken anything that is not over: the span starts now. */
  const restart = (spanMs: number) =>
    update(':end', 'attribute_not_exists(freeAt) OR freeAt < :now', {
      ':end': now() + spanMs,
      ':now': now(),
    });

  let freeAtMs = 0;
  let hasAppended = false;
  return {
    async take(spanMs, backlogMs) {
      // What held the last time most likely holds again: others post all the time, or nobody does.
      let appends = hasAppended || freeAtMs > now();
      // If neither holds, the schedule most likely reaches further than one wants to wait.
      const triesMax = backlogMs === Infinity ? TRIES_MAX : 2;
      for (let tries = 0; tries < triesMax; tries++, appends = !appends) {
        const endMs = await (appends ? append(spanMs, backlogMs) : restart(spanMs));
        if (endMs === undefined) continue;
        hasAppended = appends;
        freeAtMs = endMs;
        return endMs - spanMs;
      }
      return undefined;
    },
  };
}
