import type { Allowances, Taking } from '../data/allowances.ts';
import type { Bearer } from '../lambda/bearer.ts';
import type { RouteLimits } from '../lambda/route.ts';
import { ClientError, ErrorCode } from '../protocol/errors.ts';
import { bytesOf } from '../protocol/json.ts';
import { type Amounts, type CompleteLimits, RATES, type RateName } from '../protocol/limits.ts';
import { isOutage, isThrottle } from '../retry.ts';
import { PART_MS, Part } from './part.ts';
import type { Refusals } from './refusals.ts';

/** Whose command it is. */
interface From {
  readonly connectionId: string;
  readonly bearer?: Pick<Bearer, 'userId'>;
}

/** What clients may use up. */
export interface CommandLimits<F> extends RouteLimits<F> {
  /** Throws `rate_limited` if not all of it is left, and then takes nothing. */
  take(from: From, amounts: Amounts): Promise<void>;
  /** Whether there is a limit. */
  counts(name: RateName): boolean;
}

/** What the entry of a route needs. */
export interface LimitedDeps<F> {
  readonly limits: CommandLimits<F>;
}

export interface LimitsDeps {
  readonly limits: Pick<CompleteLimits, 'rates' | 'publishBytesMax'>;
  /** Called for the first time when something is limited. */
  readonly allowances: () => Promise<Allowances>;
  readonly refusals: Refusals;
  readonly now: () => number;
}

/** What a frame costs, besides that it is a command. */
export type CostOf<F> = (frame: F) => Amounts;

/** Users and connections whose parts are kept: those of others are asked for again. */
const ACCOUNTS_MAX = 1_000;

type Account = ReadonlyMap<RateName, Part>;

/**
 * Environments take from the buckets of a user in parts that last for up to a second, and count these down by
 * themselves. Who has been refused is refused without asking until more can have come in. So however many frames there
 * are, an environment writes about once a second for a user.
 */
export function createLimits<F>(
  { limits: { rates, publishBytesMax }, allowances, refusals, now }: LimitsDeps,
  costOf: CostOf<F> = () => ({}),
): CommandLimits<F> {
  const accounts = new Map<string, Account>();
  const accountOf = (owner: string): Account => {
    const known = accounts.get(owner);
    if (known) return known;
    const [oldest] = accounts.size >= ACCOUNTS_MAX ? accounts.keys() : [];
    if (oldest !== undefined) accounts.delete(oldest);
    const parts = RATES.flatMap((name) => {
      const rate = rates[name];
      return rate ? [[name, new Part(rate)] as const] : [];
    });
    const made = new Map(parts);
    accounts.set(owner, made);
    return made;
  };

  /** The most that one frame may cost: what is more would never be there. */
  const mostOf = (name: RateName): number =>
    Math.min(rates[name]?.burst ?? Infinity, name === 'publishBytes' ? publishBytesMax : Infinity);
  const excessIn = (amounts: Amounts): ClientError | undefined => {
    const name = RATES.find((each) => (amounts[each] ?? 0) > mostOf(each));
    if (name === undefined) return undefined;
    return new ClientError(
      ErrorCode.tooLarge,
      `expected at most ${mostOf(name)} ${WORDS[name]} in one frame, got ${amounts[name]}`,
    );
  };

  const refuse = (name: RateName, waitMs: number, from: From): never => {
    refusals.count(name, from.bearer?.userId);
    const retryAfterMs = Math.ceil(waitMs);
    const got = `got more; send it again in ${retryAfterMs} ms`;
    throw new ClientError(ErrorCode.rateLimited, `${expectation(name, rates)}, ${got}`, retryAfterMs);
  };

  /** Another environment may have taken it in the meantime, or the table may be throttled. */
  const askFor = async (owner: string, lacking: readonly Lacking[], account: Account): Promise<Taking> => {
    const amounts = (of: 'needed' | 'wanted'): Amounts =>
      Object.fromEntries(lacking.map((each) => [each.name, each[of]]));
    const levels = levelsOf(account);
    try {
      const request = { needed: amounts('needed'), wanted: amounts('wanted'), levels };
      return await (await allowances()).take(owner, request);
    } catch (error) {
      if (!isThrottle(error) && !isOutage(error)) throw error;
      refusals.failed(error);
      // Nobody is to be shut out because the table of limits is overloaded, perhaps by somebody's flood. So each
      // environment lets pass what comes in within a second, and asks no more in that second.
      for (const { part } of lacking) part.close(0, PART_MS, now());
      const taken = lacking.map(({ name, part, needed }) => [name, Math.max(needed, part.mostAtOnce)]);
      return { taken: Object.fromEntries(taken), levels };
    }
  };

  const refuseIfShort = (lacking: readonly Lacking[], from: From, leastMs = 0): void => {
    const nowMs = now();
    const [longest] = lacking
      .map((each) => ({ ...each, waitMs: each.part.waitMs(each.amount, nowMs) }))
      .sort((a, b) => b.waitMs - a.waitMs);
    if (!longest) return;
    const { name, part, amount, waitMs } = longest;
    if (Math.max(waitMs, leastMs) > 0) refuse(name, part.close(amount, waitMs, nowMs), from);
  };

  const take = async (from: From, amounts: Amounts): Promise<void> => {
    refusals.flush();
    const excess = excessIn(amounts);
    if (excess) throw excess;
    const owner = ownerOf(from);
    const account = accountOf(owner);
    const [askedAtMs, costs] = [now(), costsIn(amounts, account)];
    for (const { part, amount } of costs) part.ask(amount, askedAtMs);
    const lacking = costs.flatMap(({ name, part, amount }): Lacking[] => {
      const needed = amount - part.left(askedAtMs);
      return needed > 0 ? [{ name, part, amount, needed, wanted: part.wanted(needed) }] : [];
    });
    refuseIfShort(lacking, from);
    if (lacking.length > 0) {
      const { taken, levels } = await askFor(owner, lacking, account);
      for (const { name, part } of lacking) part.fullAtMs = levels[name];
      // If there seems to be enough, others were faster, again and again.
      if (!taken) refuseIfShort(lacking, from, PART_MS);
      for (const { name, part } of lacking) part.add(taken?.[name] ?? 0, now());
    }
    for (const { part, amount } of costs) part.spend(amount);
  };

  /** Of what was read for it already. */
  const owe = async (from: From, amount: number): Promise<void> => {
    const owner = ownerOf(from);
    const account = accountOf(owner);
    const part = account.get('historyBytes');
    if (!part) return;
    part.ask(amount, now());
    const debt = amount - part.left(now());
    part.spend(amount);
    if (debt <= 0) return;
    try {
      const levels = await (await allowances()).owe(owner, { historyBytes: debt }, levelsOf(account));
      part.fullAtMs = levels.historyBytes;
    } catch (error) {
      if (!isThrottle(error) && !isOutage(error)) throw error;
      refusals.failed(error);
    }
  };

  return {
    take,
    counts: (name) => rates[name] !== undefined,
    async charge(from, frame) {
      const amounts = { commands: 1, ...(frame && costOf(frame)) };
      const excess = excessIn(amounts);
      await take(from, excess ? { commands: 1 } : amounts);
      if (excess) throw excess;
    },
    async settle(from, reply) {
      const { messages } = reply as { readonly messages?: readonly string[] };
      if (messages)
        await owe(
          from,
          messages.reduce((sum, message) => sum + bytesOf(message), 0),
        );
    },
  };
}

/** What there is too little of here. */
interface Lacking {
  readonly name: RateName;
  readonly part: Part;
  readonly amount: number;
  readonly needed: number;
  readonly wanted: number;
}

/** All connections of a verified user have one allowance: another connection gives no more. */
const ownerOf = ({ connectionId, bearer }: From): string =>
  bearer?.userId === undefined ? `connection#${connectionId}` : `user#${bearer.userId}`;

const levelsOf = (account: Account) =>
  Object.fromEntries(
    [...account].flatMap(([name, { fullAtMs }]) => (fullAtMs === undefined ? [] : [[name, fullAtMs]])),
  );

const costsIn = (amounts: Amounts, account: Account) =>
  [...account].flatMap(([name, part]) => {
    const amount = amounts[name];
    return amount ? [{ name, part, amount }] : [];
  });

const WORDS: Readonly<Record<RateName, string>> = {
  commands: 'commands',
  publishes: 'messages, times their topics,',
  publishBytes: 'bytes of data, times their topics,',
  historyBytes: 'bytes of history',
  topics: 'new topics',
};

function expectation(name: RateName, rates: CompleteLimits['rates']): string {
  const perSecond = rates[name]?.perSecond ?? 0;
  const rate = name === 'topics' ? `${Math.round(perSecond * 3_600)} ${WORDS[name]} an hour` : undefined;
  return `expected at most ${rate ?? `${perSecond} ${WORDS[name]} a second`}`;
}
