import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { ifConditionHolds, set } from './dynamo.ts';
import { POSTS_KEY, type PostsItem } from './tables.ts';

/**
 * One schedule of posts for all workers. Each takes spans of it, and posts only within the spans that it has taken.
 * Times are epoch milliseconds.
 */
export interface Budget {
  /** Takes the next free span and answers with its start, or with undefined if that is more than `backlogMs` away. */
  take(spanMs: number, backlogMs: number): Promise<number | undefined>;
}

/** Another worker's write may come between two tries; at the time of each, one of the two conditions holds. */
const TRIES_MAX = 4;
/** Later than any schedule reaches. */
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

  /** If the schedule reaches into the future, the span is added at its end. */
  const append = (spanMs: number, backlogMs: number) =>
    update('freeAt + :span', 'freeAt BETWEEN :now AND :latest', {
      ':span': spanMs,
      ':now': now(),
      ':latest': Math.min(now() + backlogMs, FOREVER_MS),
    });
  /** If all that was taken is over, the span starts now. */
  const restart = (spanMs: number) =>
    update(':end', 'attribute_not_exists(freeAt) OR freeAt < :now', {
      ':end': now() + spanMs,
      ':now': now(),
    });

  let freeAtMs = 0;
  let hasAppended = false;
  return {
    async take(spanMs, backlogMs) {
      // The condition that held last time most likely holds again: the workers are busy or they are idle.
      let appends = hasAppended || freeAtMs > now();
      // If neither holds, the schedule most likely reaches further than the caller wants to wait.
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
