import { describe, expect, it } from 'vitest';
import type { Pace } from '../../shared/delivery/pace.ts';
import { busiestSecond, workersAt } from '../support/paced-workers.ts';

const RATE = 1_000;

describe.each([450, 3_000, 60_000])('a worker whose clock is %d ms ahead', (aheadMs) => {
  const withOneAhead = () => workersAt(RATE, { workers: 4, aheadMs: [aheadMs] });

  it('leaves the others their part of the budget for broadcasts', async () => {
    const { paces, sent, post, run } = withOneAhead();
    const counts = paces.map(() => 0);
    for (const [index, pace] of paces.entries()) {
      void post(pace, 'bulk', 100 * RATE, () => {
        counts[index] = Number(counts[index]) + 1;
      });
    }
    await run(5_000);
    const [, ...others] = counts;
    expect(others.reduce((sum, each) => sum + each)).toBeGreaterThan(0.25 * 5 * RATE);
    expect(sent.length).toBeGreaterThan(0.9 * 5 * RATE);
    // What it takes is not in the others' schedule: 429s then slow all of them down.
    expect(busiestSecond(sent)).toBeLessThanOrEqual(2 * RATE);
  });

  it('makes the others wait no two seconds for a message to a few', async () => {
    const { paces, clock, post, run } = withOneAhead();
    const [ahead, ...others] = paces as [Pace, ...Pace[]];
    void post(ahead, 'quick', 100 * RATE);
    await run(500);
    const late: number[] = [];
    const refused: Pace[] = [];
    for (let n = 0; n < 30; n++) {
      for (const pace of others) {
        const askedAtMs = clock.now();
        pace.announce('quick', 1);
        void Promise.resolve(pace.takeTurn('quick', askedAtMs + 2_000)).then((turn) => {
          if (turn) late.push(clock.now() - askedAtMs);
          else refused.push(pace);
        });
      }
      await run(100);
    }
    await run(2_000);
    expect(refused).toEqual([]);
    expect(late).toHaveLength(90);
  });
});

it('a worker whose clock is behind gets turns, and breaks nobody’s schedule for long', async () => {
  const { paces, sent, post, run } = workersAt(RATE, { workers: 4, aheadMs: [-3_000] });
  let behind = 0;
  for (const [index, pace] of paces.entries()) {
    void post(pace, 'bulk', 100 * RATE, () => {
      if (index === 0) behind += 1;
    });
  }
  await run(5_000);
  expect(behind).toBeGreaterThan(0);
  expect(busiestSecond(sent)).toBeLessThanOrEqual(2 * RATE);
});
