import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../shared/protocol/errors.ts';
import type { Amounts } from '../../../shared/protocol/limits.ts';
import { RefusedError } from '../../../shared/retry.ts';
import { Environments, passing, refusalBy } from './environments.ts';

const COMMANDS = { commands: { perSecond: 10, burst: 50 } };
const throttled = async () => {
  throw new RefusedError('throttled');
};
const down = () => Promise.reject(Object.assign(new Error('down'), { $metadata: { httpStatusCode: 500 } }));
const FAILURES = [
  ['is throttled', throttled],
  ['is down', down],
] as const;

describe('a client above its rate', () => {
  it('uses up its burst, and then gets as much as comes in', async () => {
    const all = new Environments({ rates: COMMANDS });
    const limits = all.start();
    expect(await passing(limits, 1_000)).toBe(50);
    for (let second = 0; second < 10; second++) {
      all.nowMs += 1_000;
      expect(await passing(limits, 1_000)).toBe(10);
    }
  });

  it('is told when the same will be taken, and then it is', async () => {
    const all = new Environments({ rates: { publishBytes: { perSecond: 1_000, burst: 10_000 } } });
    const limits = all.start();
    expect(await refusalBy(limits, { publishBytes: 9_000 })).toBeUndefined();
    const refused = await refusalBy(limits, { publishBytes: 8_000 });
    expect(refused).toMatchObject({
      code: ErrorCode.rateLimited,
      retryAfterMs: 7_000,
      message:
        'expected at most 1000 bytes of data, times their topics, a second, got more; send it again in 7000 ms',
    });
    all.nowMs += 6_999;
    expect(await refusalBy(limits, { publishBytes: 8_000 })).toMatchObject({ retryAfterMs: 1 });
    all.nowMs += 1;
    expect(await refusalBy(limits, { publishBytes: 8_000 })).toBeUndefined();
  });

  it('may send what is smaller than what was refused, if there is enough for that', async () => {
    const limits = new Environments({ rates: { publishBytes: { perSecond: 1_000, burst: 10_000 } } }).start();
    await refusalBy(limits, { publishBytes: 9_000 });
    expect(await refusalBy(limits, { publishBytes: 8_000 })).toBeDefined();
    expect(await refusalBy(limits, { publishBytes: 500 })).toBeUndefined();
  });

  it('loses nothing by frames that are refused', async () => {
    const rates = { ...COMMANDS, publishes: { perSecond: 1, burst: 5 } };
    const limits = new Environments({ rates }).start();
    expect(await passing(limits, 100, { publishes: 1 })).toBe(5);
    // What those who were refused would have cost as commands is all there.
    expect(await passing(limits, 100)).toBe(45);
  });

  it('is told what one frame may cost at most, if that would never be there', async () => {
    const rates = { publishes: { perSecond: 10, burst: 100 } };
    const limits = new Environments({ rates }).start();
    const message = 'expected at most 100 messages, times their topics, in one frame, got 101';
    expect(await refusalBy(limits, { publishes: 101 })).toMatchObject({ code: 'too_large', message });
    expect(await refusalBy(limits, { publishes: 100 })).toBeUndefined();
  });

  it('is counted for frames that cost more than any may', async () => {
    const rates = { commands: { perSecond: 1, burst: 3 }, publishes: { perSecond: 10, burst: 100 } };
    const limits = new Environments({ rates }).start();
    const codes = [];
    for (let n = 0; n < 5; n++) codes.push((await refusalBy(limits, { publishes: 101 }))?.code);
    expect(codes).toEqual([...Array(3).fill('too_large'), ...Array(2).fill('rate_limited')]);
  });

  it('does not keep others from anything', async () => {
    const limits = new Environments({ rates: COMMANDS }).start();
    await passing(limits, 1_000);
    expect(await refusalBy(limits, {}, { userId: 'bob' })).toBeUndefined();
    expect(await refusalBy(limits, {}, {}, 'anonymous')).toBeUndefined();
  });
});

describe('connections', () => {
  it('of one user have one allowance, of nobody each its own', async () => {
    const limits = new Environments({ rates: COMMANDS }).start();
    const passed = { ada: 0, nobody: 0 };
    for (let n = 0; n < 200; n++) {
      if (!(await refusalBy(limits, {}, { userId: 'ada' }, `c${n % 20}`))) passed.ada += 1;
      if (!(await refusalBy(limits, {}, {}, `d${n % 4}`))) passed.nobody += 1;
    }
    expect(passed).toEqual({ ada: 50, nobody: 4 * 50 });
  });
});

describe('the table', () => {
  it('is not asked where nothing is limited', async () => {
    const all = new Environments({ rates: {} });
    expect(await passing(all.start(), 100, { publishes: 10 })).toBe(100);
    expect(all.requests).toEqual([]);
  });

  it('is written to about once a second by an environment, whatever the flood', async () => {
    const rates = { ...COMMANDS, publishes: { perSecond: 5, burst: 25 } };
    const all = new Environments({ rates });
    const environments = Array.from({ length: 4 }, () => all.start());
    for (let tenth = 0; tenth < 600; tenth++) {
      for (const limits of environments) await passing(limits, 20, { publishes: 1 });
      all.nowMs += 100;
    }
    const writes = all.requests.filter((operation) => operation === 'UpdateItem').length;
    const [seconds, bursts] = [60, 10];
    expect(writes).toBeLessThanOrEqual(4 * (seconds + bursts));
    expect(writes).toBeGreaterThan(60);
  });

  it('is written to once for a frame that costs several things', async () => {
    const rates = { ...COMMANDS, publishes: COMMANDS.commands, publishBytes: COMMANDS.commands };
    const all = new Environments({ rates });
    await refusalBy(all.start(), { publishes: 1, publishBytes: 10 });
    expect(all.requests).toEqual(['UpdateItem']);
  });

  it.each(FAILURES)(
    'when it %s, is done without: each environment lets pass what comes in',
    async (_, makeRequest) => {
      const all = new Environments({ rates: COMMANDS, makeRequest });
      const limits = all.start();
      for (const second of [1, 2]) {
        expect(await passing(limits, 1_000)).toBe(10);
        expect(all.requests).toHaveLength(second);
        all.nowMs += 1_000;
      }
      await refusalBy(limits);
      expect(all.lines).toContainEqual(expect.objectContaining({ message: 'allowance not asked', times: 1 }));
    },
  );

  it('when it fails for another reason, is a failure', async () => {
    const all = new Environments({
      rates: { ...COMMANDS, historyBytes: { perSecond: 10, burst: 100 } },
      makeRequest: () => Promise.reject(new Error('AccessDenied')),
    });
    await expect(refusalBy(all.start())).rejects.toThrow('AccessDenied');
    const read = { messages: ['x'.repeat(1_000)] } as never; // no more is read
    await expect(all.start().settle({ connectionId: 'c', connectedAtMs: 0 }, read)).rejects.toThrow(
      'AccessDenied',
    );
  });

  it('is asked again about the first of more users than an environment remembers', async () => {
    const all = new Environments({ rates: COMMANDS });
    const limits = all.start();
    const requestsFor = async (userId: string) => {
      const before = all.requests.length;
      await refusalBy(limits, {}, { userId });
      return all.requests.length - before;
    };
    await passing(limits, 100);
    for (let n = 1; n < 1_000; n++) await refusalBy(limits, {}, { userId: `user-${n}` });
    expect(await requestsFor('ada')).toBe(0);
    expect(await requestsFor('one more')).toBe(1);
    expect(await requestsFor('ada')).toBeGreaterThan(0);
    // What she has used up she has, whoever remembers it.
    expect(await refusalBy(limits)).toMatchObject({ code: 'rate_limited' });
  });

  it('keeps an allowance as long as two whole buckets take to come in', async () => {
    const all = new Environments({ rates: { topics: { perSecond: 1 / 3.6, burst: 1_000 } } });
    await refusalBy(all.start(), { topics: 3 });
    const [item] = all.tables.items('access');
    expect(item).toMatchObject({ id: { S: 'allowance#user#ada' } });
    expect(Number(item?.expiresAt?.N) - all.nowMs / 1_000).toBe(3_600 + 3_600);
  });
});

describe('history', () => {
  const rates = { historyBytes: { perSecond: 1_000, burst: 10_000 } };
  const from = { connectionId: 'c', connectedAtMs: 0 };
  const reply = (bytes: number) => ({ messages: ['x'.repeat(bytes)] }) as never; // no more is read
  const asking: Amounts = { historyBytes: 1 };
  const refusal = (limits: ReturnType<Environments['start']>) => refusalBy(limits, asking, {});

  it.each<[string, readonly number[]]>([
    ['by one reply', [17_000]],
    ['by one after another', [4_000, 7_000, 6_000]],
  ])('is counted when it has been read, and what is too much is owed: %s', async (_, replies) => {
    const all = new Environments({ rates });
    const [one, other] = [all.start(), all.start()];
    expect(await refusal(one)).toBeUndefined();
    for (const bytes of replies) await one.settle(from, reply(bytes));
    for (const limits of [one, other]) {
      const refused = await refusal(limits);
      expect(refused).toMatchObject({ code: ErrorCode.rateLimited });
      expect(refused?.retryAfterMs).toBeGreaterThan(6_900);
      expect(refused?.retryAfterMs).toBeLessThan(7_100);
    }
    all.nowMs += 7_100;
    expect(await refusal(one)).toBeUndefined();
  });

  it.each<[string, readonly number[]]>([
    ['one reply', [6_000_000]],
    ['many more', Array(60).fill(100_000)],
    ['some', Array(9).fill(5_000)],
  ])('is never owed for longer than one bucket more, however much %s had', async (_, replies) => {
    const all = new Environments({ rates });
    const one = all.start();
    await one.settle(from, reply(1_000));
    for (const bytes of replies) {
      all.nowMs += 10;
      await all.start().settle(from, reply(bytes));
      await one.settle(from, reply(bytes));
    }
    for (const limits of [one, all.start()]) {
      const refused = await refusal(limits);
      expect(refused?.retryAfterMs).toBeGreaterThan(9_900);
      expect(refused?.retryAfterMs).toBeLessThanOrEqual(10_001);
    }
    const [item] = all.tables.items('access');
    expect(Number(item?.expiresAt?.N) * 1_000).toBeGreaterThanOrEqual(all.nowMs + 20_000);
    all.nowMs += 10_001;
    expect(await refusal(one)).toBeUndefined();
  });

  it.each(FAILURES)('is not owed while the table %s, and the log says so', async (_, makeRequest) => {
    const all = new Environments({ rates, makeRequest });
    await all.start().settle(from, reply(30_000));
    expect(all.lines).toEqual([expect.objectContaining({ message: 'allowance not asked', times: 1 })]);
  });

  it('is not counted where it is not limited, nor where a reply has none', async () => {
    const all = new Environments({ rates: {} });
    await all.start().settle(from, reply(1_000_000));
    const limited = new Environments({ rates });
    await limited.start().settle(from, { type: 'ack' } as never);
    expect([...all.requests, ...limited.requests]).toEqual([]);
  });
});

describe('what is refused', () => {
  it('is counted in the log, in at most a line a second for each limit', async () => {
    const all = new Environments({ rates: COMMANDS });
    const limits = all.start();
    let passed = 0;
    for (let tenth = 0; tenth < 100; tenth++) {
      passed += await passing(limits, 50);
      all.nowMs += 100;
    }
    all.nowMs += 1_000;
    await refusalBy(limits);
    expect(all.lines.length).toBeLessThanOrEqual(11);
    const times = all.lines.reduce((sum, line) => sum + Number(line.times), 0);
    expect(times).toBe(100 * 50 - passed);
    expect(all.lines[0]).toEqual({
      message: 'limit reached: commands, times: 1, last: ada',
      ...{ limit: 'commands', userId: 'ada', times: 1 },
    });
  });
});

it('never gives more than the rate, the burst and what clocks are apart, to any number of environments', async () => {
  const step = fc.record({
    environment: fc.nat(4),
    amount: fc.integer({ min: 1, max: 20 }),
    frames: fc.integer({ min: 1, max: 30 }),
    waitMs: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(5_000)),
  });
  const clocks = fc.array(fc.integer({ min: -500, max: 500 }), { minLength: 5, maxLength: 5 });
  const rate = fc.record({
    perSecond: fc.integer({ min: 1, max: 50 }),
    burst: fc.integer({ min: 20, max: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), clocks, rate, async (steps, aheads, publishes) => {
      const all = new Environments({ rates: { publishes } });
      const environments = aheads.map((aheadMs) => all.start(aheadMs));
      const startMs = all.nowMs;
      let passed = 0;
      for (const { environment, amount, frames, waitMs } of steps) {
        all.nowMs += waitMs;
        const limits = environments[environment] as (typeof environments)[number]; // there are five
        passed += amount * (await passing(limits, frames, { publishes: amount }));
      }
      const apartMs = Math.max(...aheads) - Math.min(...aheads);
      const cameIn = ((all.nowMs - startMs + apartMs) * publishes.perSecond) / 1_000;
      expect(passed).toBeLessThanOrEqual(publishes.burst + cameIn + 0.001);
    }),
    { numRuns: 300 },
  );
});

it('gives what the rate allows to a client that keeps to it, whatever environments it meets', async () => {
  const all = new Environments({ rates: { commands: { perSecond: 20, burst: 100 } } });
  const environments = Array.from({ length: 10 }, () => all.start());
  let refused = 0;
  for (let n = 0; n < 600; n++) {
    all.nowMs += 100;
    const limits = environments[(n * 7) % 10] as (typeof environments)[number]; // there are ten
    if (await refusalBy(limits)) refused += 1;
  }
  expect(refused).toBe(0);
});
