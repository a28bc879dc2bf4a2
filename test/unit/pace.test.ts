import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPace, type Pace } from '../../shared/delivery/pace.ts';
import { Turns } from '../../shared/delivery/turns.ts';
import { busiestSecond, wait, workersAt } from '../support/paced-workers.ts';

const FOREVER = Number.POSITIVE_INFINITY;

describe('the pace', () => {
  it.each([
    [100, 1],
    [1_000, 1],
    [8_000, 1],
    [1_000, 7],
    [8_000, 10],
  ])('of %d requests/s is used by %d workers, and not exceeded', async (rate, workers) => {
    const { paces, sent, post, run } = workersAt(rate, { workers });
    for (const pace of paces) void post(pace, 'bulk', 100 * rate);
    await run(5_000);
    expect(busiestSecond(sent)).toBeLessThanOrEqual(rate);
    expect(sent.length).toBeGreaterThanOrEqual(0.95 * 5 * rate);
  });

  it('is never exceeded by workers that come and go as they like', async () => {
    const jobs = fc.array(
      fc.record({ worker: fc.nat(4), atMs: fc.nat(2_500), posts: fc.integer({ min: 1, max: 700 }) }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(jobs, async (jobs) => {
        const { clock, paces, sent, post, run } = workersAt(500, { workers: 5 });
        for (const { worker, atMs, posts } of jobs) {
          clock.after(atMs, () => void post(paces[worker] as Pace, 'bulk', posts));
        }
        await run(3_000);
        expect(busiestSecond(sent)).toBeLessThanOrEqual(500);
      }),
      { numRuns: 15 },
    );
  });

  it('lets a message to one connection pass a broadcast', async () => {
    const { paces, sent, clock, post, run } = workersAt(1_000, { workers: 8 });
    const [one, ...broadcasters] = paces as [Pace, ...Pace[]];
    for (const pace of broadcasters) void post(pace, 'bulk', 100_000);
    await run(2_000);
    const late: number[] = [];
    for (let n = 0; n < 50; n++) {
      const askedAt = clock.now();
      // More than it may have unasked, so that it needs a lease like the others.
      void post(one, 'quick', 5, () => late.push(clock.now() - askedAt));
      await run(20);
    }
    expect(late).toHaveLength(250);
    expect(Math.max(...late)).toBeLessThanOrEqual(20);
    expect(busiestSecond(sent)).toBeLessThanOrEqual(1_000 + 250);
  });

  it('asks no more than once for many posts, and not at all for a post now and then', async () => {
    const { asked, paces, post, run } = workersAt(8_000);
    void post(paces[0] as Pace, 'bulk', 16_000);
    await run(2_500);
    expect(asked.times).toBeLessThanOrEqual(16_000 / 350);
    const before = asked.times;
    for (let n = 0; n < 10; n++) {
      void post(paces[0] as Pace, 'quick', 3);
      await run(100);
    }
    expect(asked.times).toBe(before);
  });

  it.each([37, 84, 100])('asks once for many small deliveries, though the first was to %d', async (first) => {
    const { asked, paces, sent, post, run } = workersAt(100_000, { workers: 10, askMs: 1 });
    for (const posts of [first, ...Array.from({ length: 100 }, () => 200)]) {
      void post(paces[0] as Pace, 'quick', posts);
      await run(10);
    }
    expect(sent).toHaveLength(first + 100 * 200);
    expect(asked.times).toBeLessThanOrEqual(25);
  });

  it.each([60, 200])('has at most 1,000 writes a second to its item, with %d workers', async (workers) => {
    const { clock, table, paces, post, run } = workersAt(8_000, { workers });
    for (const [index, pace] of paces.entries()) {
      void post(pace, 'bulk', 1_000_000);
      const deliver = () => {
        void post(pace, 'quick', 3);
        clock.after(20 + (index % 7) * 15, deliver);
      };
      clock.after(index, deliver);
    }
    await run(3_000);
    const before = table.writes;
    await run(2_000);
    expect((table.writes - before) / 2).toBeLessThanOrEqual(1_000);
  });

  it('is used by workers with pauses between their jobs, too', async () => {
    const { clock, paces, sent, post, run } = workersAt(2_000, { workers: 6 });
    for (const pace of paces) {
      void (async () => {
        for (let job = 0; job < 1_000; job++) {
          await post(pace, 'bulk', 130);
          await wait(clock, 30);
        }
      })();
    }
    await run(5_000);
    expect(sent.length).toBeGreaterThan(0.94 * 5 * 2_000);
  });

  it('slows down where API Gateway answers 429, and finds most of what is to be had', async () => {
    const { paces, sent, post, run, clock } = workersAt(1_000);
    const [pace] = paces as [Pace];
    let throttled = 0;
    let level = 300;
    let asOf = clock.now();
    // A quota of 600/s with a burst of 300, as others leave it.
    void post(pace, 'bulk', 100_000, () => {
      level = Math.min(300, level + (clock.now() - asOf) * 0.6);
      asOf = clock.now();
      const isThrottled = level < 1;
      if (isThrottled) throttled += 1;
      else level -= 1;
      pace.noteAnswer(isThrottled);
    });
    await run(20_000);
    expect(throttled / sent.length).toBeLessThan(0.05);
    expect((sent.length - throttled) / 20).toBeGreaterThan(0.8 * 600);
  });

  it('is not slowed down by a few clients that read too slowly', async () => {
    const { paces, sent, post, run } = workersAt(1_000);
    const [pace] = paces as [Pace];
    let posts = 0;
    void post(pace, 'bulk', 100_000, () => pace.noteAnswer(++posts % 50 === 0));
    await run(5_000);
    expect(sent.length).toBeGreaterThan(0.95 * 5_000);
  });

  it('says so when there will be no turn in time', async () => {
    const { paces, clock, post, run } = workersAt(100, { workers: 2 });
    void post(paces[0] as Pace, 'bulk', 10_000);
    await run(500);
    const [, pace] = paces as [Pace, Pace];
    const stopAtMs = clock.now() + 300;
    const turns: boolean[] = [];
    void (async () => {
      pace.announce('bulk', 200);
      for (let n = 0; n < 200; n++) turns.push(await pace.takeTurn('bulk', stopAtMs));
    })();
    await run(400);
    expect(turns).toHaveLength(200);
    expect(turns.filter((turn) => turn).length).toBeLessThan(40);
  });

  it('counts a post that had no turn in time once when it is taken back', async () => {
    const spans: number[] = [];
    const take = async (spanMs: number) => {
      spans.push(spanMs);
      return 1_000;
    };
    const deps = {
      ...{ intervalMs: () => 10, now: () => 0, random: () => 0, wait: async () => {} },
      ...{ leaseMs: 50, busyMsMax: 200 },
    };
    const turns = new Turns({ ...deps, take, aheadMs: 0, lateMs: 10 });
    turns.announce(1);
    expect(await turns.takeTurn(500)).toBe(false);
    turns.announce(-1);
    turns.announce(3);
    expect(await turns.takeTurn(2_000)).toBe(true);
    expect(spans).toEqual([10, 30]);
  });

  it.each([
    [0, [100, 200, 400, 400]],
    [1, [200, 400, 800, 800]],
  ])(
    'asks a full schedule again after pauses that double, of which chance takes up to half: %d',
    async (chance, expected) => {
      let nowMs = 0;
      const pauses: number[] = [];
      const take = async () => (pauses.length < expected.length ? undefined : nowMs);
      const wait = async (ms: number) => {
        pauses.push(ms);
        nowMs += ms;
      };
      const deps = { intervalMs: () => 10, now: () => nowMs, random: () => chance, wait, take };
      const turns = new Turns({ ...deps, aheadMs: 0, lateMs: 10, leaseMs: 50, busyMsMax: 800 });
      turns.announce(1);
      expect(await turns.takeTurn(FOREVER)).toBe(true);
      expect(pauses).toEqual(expected);
    },
  );

  it('goes on once the schedule can be asked again', async () => {
    const { clock, run } = workersAt(100);
    let away = true;
    const pace = createPace({
      budget: { take: async () => (away ? Promise.reject(new Error('table is away')) : clock.now()) },
      requestsPerSecondMax: 100,
      environmentsMax: 1,
      now: () => clock.now(),
      random: () => 0.5,
      wait: (ms) => wait(clock, ms),
    });
    pace.announce('bulk', 3);
    expect(await pace.takeTurn('bulk', FOREVER)).toBe(true);
    await expect(pace.takeTurn('bulk', FOREVER)).rejects.toThrow('table is away');
    away = false;
    const turn = pace.takeTurn('bulk', FOREVER);
    await run(10);
    expect(await turn).toBe(true);
  });
});
