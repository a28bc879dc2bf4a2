import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type Amounts, RATES, type RateName, type Rates } from '../protocol/limits.ts';
import { type Levels, leftIn, spanMsOf } from './buckets.ts';
import { type Item, ifConditionHolds } from './dynamo.ts';
import { type AllowanceItem, allowanceKey } from './tables.ts';

/** What was taken, if anything was, and how full the buckets are now. */
export interface Taking {
  readonly taken?: Amounts;
  readonly levels: Levels;
}

/** A request to take from somebody's buckets. */
export interface TakeRequest {
  /** With less than this nothing is taken, of any bucket. */
  readonly needed: Amounts;
  /** As much as this is taken, if there is so much. */
  readonly wanted: Amounts;
  /** How full the buckets are, as far as is known. */
  readonly levels: Levels;
}

/** The buckets of users and connections, which all environments take from. */
export interface Allowances {
  /** One write, if the levels are what they were thought to be. */
  take(owner: string, request: TakeRequest): Promise<Taking>;
  /** Takes what has been used already, however much is left. What is owed is never more than a whole bucket. */
  owe(owner: string, amounts: Amounts, levels: Levels): Promise<Levels>;
}

/**
 * Another environment's write may come between two tries. Two that both begin to use a full bucket meet once: from then
 * on each adds to what was taken, which never meets.
 */
const TRIES_MAX = 4;
/** Sums that were rounded differ by less. */
const ROUNDING_MS = 0.001;
const ROUNDING = 0.000_001;
/** One that is used up and one that is owed: with more, one large reply would shut its reader out for long. */
const OWED_BUCKETS = 2;

/**
 * A bucket is stored as the time at which it is full again. Taking moves that by as long as the amount takes to come in,
 * from now on if it is past, and never further than an empty bucket needs. So whatever is taken, by whomever and in
 * whatever order, adds up to no more than has come in, and the clocks of those who take add only what they are apart.
 */
export function createAllowances(
  client: Pick<DynamoDBClient, 'send'>,
  table: string,
  rates: Rates,
  now: () => number,
): Allowances {
  const refillMs = Math.max(0, ...Object.values(rates).map((rate) => spanMsOf(rate.burst, rate)));

  /** Undefined if a level is not what it was thought to be, or too little is left. */
  const update = async (
    owner: string,
    amounts: Amounts,
    levels: Levels,
    mayOwe: boolean,
  ): Promise<Levels | undefined> => {
    const nowMs = now();
    const values: Record<string, number> = {};
    const assignments: string[] = [];
    const conditions: string[] = [];
    for (const [name, rate, amount] of each(amounts, rates)) {
      const [fullAt, span] = [attributeOf(name), `:${name}`];
      const longestMs = spanMsOf(rate.burst, rate) * (mayOwe ? OWED_BUCKETS : 1);
      const spanMs = Math.min(spanMsOf(amount, rate), mayOwe ? longestMs : Infinity);
      const level = levels[name];
      if (level === undefined || level < nowMs) {
        values[':now'] = nowMs;
        values[span] = nowMs + spanMs;
        assignments.push(`${fullAt} = ${span}`);
        conditions.push(`(attribute_not_exists(${fullAt}) OR ${fullAt} < :now)`);
        continue;
      }
      const latest = `:${name}Latest`;
      const latestMs = nowMs + longestMs - spanMs + ROUNDING_MS;
      values[latest] = latestMs;
      if (mayOwe && level > latestMs) {
        values[span] = nowMs + longestMs;
        assignments.push(`${fullAt} = ${span}`);
        conditions.push(`${fullAt} > ${latest}`);
        continue;
      }
      values[':now'] = nowMs;
      values[span] = spanMs;
      assignments.push(`${fullAt} = ${fullAt} + ${span}`);
      conditions.push(`${fullAt} BETWEEN :now AND ${latest}`);
    }
    const updated = await ifConditionHolds(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: allowanceKey(owner),
          UpdateExpression: `SET expiresAt = :expiresAt, ${assignments.join(', ')}`,
          ConditionExpression: conditions.join(' AND '),
          ExpressionAttributeValues: {
            ':expiresAt': { N: String(Math.ceil((nowMs + OWED_BUCKETS * refillMs) / 1_000)) },
            ...Object.fromEntries(
              Object.entries(values).map(([name, value]) => [name, { N: value.toFixed(6) }]),
            ),
          },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated && levelsIn(updated.Attributes);
  };

  const read = async (owner: string): Promise<Levels> => {
    const { Item } = await client.send(
      new GetItemCommand({ TableName: table, Key: allowanceKey(owner), ConsistentRead: true }),
    );
    return levelsIn(Item);
  };

  return {
    async take(owner, { needed, wanted, levels: known }) {
      let levels = known;
      let amounts = affordable(needed, wanted, levels, rates, now()) ?? wanted;
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const updated = await update(owner, amounts, levels, false);
        if (updated) return { taken: amounts, levels: updated };
        levels = await read(owner);
        const less = affordable(needed, wanted, levels, rates, now());
        if (!less) return { levels };
        amounts = less;
      }
      return { levels };
    },

    async owe(owner, amounts, known) {
      let levels = known;
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const updated = await update(owner, amounts, levels, true);
        if (updated) return updated;
        levels = await read(owner);
      }
      return levels;
    },
  };
}

/** As much of what is wanted as there is; undefined if that is less than what is needed. */
function affordable(
  needed: Amounts,
  wanted: Amounts,
  levels: Levels,
  rates: Rates,
  nowMs: number,
): Amounts | undefined {
  const amounts: Partial<Record<RateName, number>> = {};
  for (const [name, rate, amount] of each(wanted, rates)) {
    const left = Math.floor(leftIn(rate, levels[name], nowMs) + ROUNDING);
    if (left < (needed[name] ?? 0)) return undefined;
    amounts[name] = Math.min(amount, left);
  }
  return amounts;
}

function* each(amounts: Amounts, rates: Rates) {
  for (const name of RATES) {
    const [rate, amount] = [rates[name], amounts[name]];
    if (rate && amount !== undefined) yield [name, rate, amount] as const;
  }
}

const attributeOf = (name: RateName) => `${name}FullAt` as const;

function levelsIn(item: Item | undefined): Levels {
  const { id: _, expiresAt: __, ...attributes } = (item ?? {}) as Partial<AllowanceItem>;
  return Object.fromEntries(
    RATES.flatMap((name) => {
      const fullAt = attributes[attributeOf(name)];
      return fullAt ? [[name, Number(fullAt.N)]] : [];
    }),
  );
}
