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
/** Where it reached further than the caller wants to wait, it most likely does still. */
const TRIES_MAX_WHEN_FULL = 2;
/**
 * A worker whose clock is ahead begins the schedule anew again and again, in what is the future to the others: they would
 * never have a turn. What was taken by a clock that is so far ahead is overruled where it is in the way, by each worker
 * once in a while: the budget is then exceeded a little, instead of given to one.
 */
const CLOCKS_APART_MS = 250;
const OVERRULE_EVERY_MS = 500;

const IS_OVER = 'attribute_not_exists(freeAt) OR freeAt < :now';

export function createBudget(client: Pick<DynamoDBClient, 'send'>, table: string, now: () => number): Budget {
  /** Answers with `freeAt` as it was, NaN if there was none; undefined if the condition does not hold. */
  const update = async (
    freeAt: string,
    condition: string,
    values: Readonly<Record<string, number>>,
  ): Promise<number | undefined> => {
    const numbers = Object.entries({ ...values, ':now': now() });
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: POSTS_KEY,
          UpdateExpression: set<PostsItem>({ freeAt, takenAt: ':now' }),
          ConditionExpression: condition,
          ExpressionAttributeValues: Object.fromEntries(
            numbers.map(([name, value]) => [name, { N: value.toFixed(3) }]),
          ),
          ReturnValues: 'UPDATED_OLD',
        }),
      ),
    );
    return updated && Number(updated.Attributes?.freeAt?.N);
  };

  /** If the schedule reaches into the future, the span is added at its end. Answers with the start of the span. */
  const append = (spanMs: number, backlogMs: number) =>
    update('freeAt + :span', 'freeAt BETWEEN :now AND :latest', {
      ':span': spanMs,
      ':latest': now() + backlogMs,
    });

  let overruledAtMs = Number.NEGATIVE_INFINITY;
  /** If all that was taken is over, or may be overruled, the span starts now. */
  const restart = async (spanMs: number, backlogMs: number) => {
    const startMs = now();
    const mayOverrule = startMs - overruledAtMs >= OVERRULE_EVERY_MS;
    const wasFreeAtMs = mayOverrule
      ? await update(':end', `${IS_OVER} OR (freeAt > :latest AND takenAt > :soon)`, {
          ':end': startMs + spanMs,
          ':latest': startMs + backlogMs,
          ':soon': startMs + CLOCKS_APART_MS,
        })
      : await update(':end', IS_OVER, { ':end': startMs + spanMs });
    if (wasFreeAtMs === undefined) return undefined;
    if (wasFreeAtMs > startMs + backlogMs) overruledAtMs = startMs;
    return startMs;
  };

  let freeAtMs = 0;
  let hasAppended = false;
  /** The longest wait that was not long enough. */
  let fullMs = -1;
  return {
    async take(spanMs, backlogMs) {
      // The condition that held last time most likely holds again: the workers are busy or they are idle.
      let appends = hasAppended || freeAtMs > now();
      const triesMax = backlogMs <= fullMs ? TRIES_MAX_WHEN_FULL : TRIES_MAX;
      for (let tries = 0; tries < triesMax; tries++, appends = !appends) {
        const startMs = await (appends ? append(spanMs, backlogMs) : restart(spanMs, backlogMs));
        if (startMs === undefined) continue;
        hasAppended = appends;
        if (backlogMs <= fullMs) fullMs = -1;
        freeAtMs = startMs + spanMs;
        return startMs;
      }
      fullMs = Math.max(fullMs, backlogMs);
      return undefined;
    },
  };
}
