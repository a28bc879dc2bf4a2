import { describe, expect, it } from 'vitest';
import type { Rights } from '../../../shared/protocol/rights.ts';
import type { MakeRequest } from '../../memory/dynamodb.ts';
import { CONNECTED_AT_MS, Renewals, type Said } from '../../support/renewals.ts';

/**
 * API Gateway runs the frames of a connection side by side: a subscribe and a renewal, in every order of their requests to
 * the tables, and a renewal that dies after any of its own.
 */

const MINUTE_MS = 60_000;
const TOPIC = 'team';
const COVERS: Rights = { team: ['subscribe'] };
const endOf = (minutes: number): number => minutes * MINUTE_MS + 30_000;

type Name = 'renewal' | 'subscribe';
/** Lets one request at a time through: whose, is the next of `choices`, and the renewal's after them. */
class Turns {
  readonly taken: Name[] = [];
  readonly #choices: readonly Name[];
  readonly #waiting = new Map<Name, () => void>();
  readonly #running = new Set<Name>();
  /** How many requests of the renewal are still done. */
  readonly #left: number;

  constructor(choices: readonly Name[], left = Infinity) {
    this.#choices = choices;
    this.#left = left;
  }

  request(name: Name): MakeRequest {
    return async (_, perform) => {
      await new Promise<void>((resolve) => this.#waiting.set(name, resolve));
      const done = this.taken.filter((each) => each === 'renewal').length;
      if (name === 'renewal' && done > this.#left) throw new Error('died');
      return perform();
    };
  }

  run<T>(name: Name, command: Promise<T>): Promise<T | Error> {
    this.#running.add(name);
    return command.catch((error: Error) => error).finally(() => this.#running.delete(name));
  }

  /** Until both have ended. */
  async play(): Promise<void> {
    while (this.#running.size > 0) {
      // Whoever goes on waits for its next turn by then, or has ended.
      await new Promise(setImmediate);
      const ready = [...this.#waiting.keys()];
      const wanted = this.#choices[this.taken.length] ?? 'renewal';
      const name = ready.includes(wanted) ? wanted : ready[0];
      if (!name) continue;
      const go = this.#waiting.get(name);
      this.#waiting.delete(name);
      this.taken.push(name);
      go?.();
    }
  }
}

/** Every order of up to so many turns. */
function* orders(length: number): Generator<Name[]> {
  for (let bits = 0; bits < 2 ** length; bits++) {
    yield Array.from({ length }, (_, n) => ((bits >> n) & 1 ? 'subscribe' : 'renewal'));
  }
}
const TURNS = 9;

interface Case {
  /** When a right to the topic ends that the tokens give: the first, the one it was renewed with, and the next. */
  readonly first?: number;
  readonly second?: number;
  readonly next?: number;
  readonly grant?: number;
  readonly subscribedBefore: boolean;
}
const CASES: readonly Case[] = [true, false].flatMap((subscribedBefore) => [
  { subscribedBefore, first: 10, next: 30 },
  { subscribedBefore, first: 10 },
  { subscribedBefore, second: 20 },
  { subscribedBefore, second: 20, next: 30 },
  { subscribedBefore, second: 20, next: 15 },
  { subscribedBefore, first: 10, second: 20 },
  { subscribedBefore, first: 10, second: 20, next: 15 },
  { subscribedBefore, grant: 25 },
  { subscribedBefore, grant: 25, next: 15 },
]);

const said = (covers: number | undefined, otherwise: number): Said => ({
  rights: covers === undefined ? {} : COVERS,
  endsInMs: (covers ?? otherwise) * MINUTE_MS,
});

async function race(each: Case, turns: Turns) {
  const house = await new Renewals(said(each.first, 10)).open();
  await house.authenticate(said(each.second, 20));
  const grant = { grant: JSON.stringify(said(each.grant, 25)) };
  const fields = each.grant === undefined ? {} : grant;
  if (each.subscribedBefore) await house.subscribe(TOPIC, fields);
  const renewed = turns.run('renewal', house.authenticate(said(each.next, 30), turns.request('renewal')));
  const subscribed = turns.run('subscribe', house.subscribe(TOPIC, fields, turns.request('subscribe')));
  await turns.play();
  return { house, renewed: await renewed, subscribed: await subscribed };
}

/** When the last right to the topic ends, if there is one after the renewal. */
function lastRight({ first, next, grant }: Case): number | undefined {
  const ends = [first, next, grant].filter((end) => end !== undefined);
  // Nothing outlives the tokens of its connection.
  return ends.length === 0 ? undefined : endOf(Math.min(Math.max(...ends), Math.max(10, next ?? 30)));
}

async function expectSettled(each: Case, { house, subscribed }: Awaited<ReturnType<typeof race>>) {
  const right = lastRight(each);
  const isAcked = !(subscribed instanceof Error);
  if (right === undefined) {
    expect(await house.gets(TOPIC)).toBe(false);
    house.nowMs += 1_000;
    // Whoever was told that it is subscribed is told that it is not any more.
    if (isAcked || each.subscribedBefore) await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
  } else {
    expect(isAcked).toBe(true);
    expect(await house.gets(TOPIC)).toBe(true);
    expect(house.endOf(TOPIC)).toBe(right);
    // It is told of the end when it comes, and not before.
    house.nowMs = CONNECTED_AT_MS + right - 1;
    await house.ping();
    house.nowMs += 2;
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
  }
}

describe.each(CASES)('a renewal and a subscribe at the same time: %j', (each) => {
  it('leave what the tokens and the grant allow by then, in any order', async () => {
    const seen = new Set<string>();
    for (const order of orders(TURNS)) {
      const turns = new Turns(order);
      const end = await race(each, turns);
      const key = turns.taken.join();
      if (seen.has(key)) continue;
      seen.add(key);
      expect(end.renewed, key).not.toBeInstanceOf(Error);
      await expectSettled(each, end);
      expect(end.house.end).toBe(endOf(Math.max(10, each.next ?? 30)));
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it('leave nothing that outlives its right if the renewal dies, and what is right if it comes again', async () => {
    for (const left of [0, 1, 2, 3, 4]) {
      for (const order of orders(5)) {
        const end = await race(each, new Turns(order, left));
        const { first, second, next, grant } = each;
        const ends = [first, second, next, grant].flatMap((minutes) =>
          minutes === undefined ? [] : endOf(minutes),
        );
        if (await end.house.gets(TOPIC))
          expect(end.house.endOf(TOPIC)).toBeLessThanOrEqual(Math.max(...ends));
        if (!(end.renewed instanceof Error)) continue;
        await end.house.authenticate(said(each.next, 30));
        // A subscribe whose renewal died may have been refused, and may be told to come again.
        if (end.subscribed instanceof Error && !each.subscribedBefore) continue;
        await expectSettled(each, end);
      }
    }
  });
});
