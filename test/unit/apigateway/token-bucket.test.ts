import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../infra/local/apigateway/token-bucket.ts';

const NOW = Date.UTC(2024, 0, 20);

/** How many tokens there are to take at once. */
function drain(bucket: TokenBucket, nowMs: number): number {
  let taken = 0;
  while (bucket.take(nowMs)) taken += 1;
  return taken;
}

describe('a token bucket', () => {
  it('is full to begin with', () => {
    expect(drain(new TokenBucket({ perSecond: 10, burst: 5 }, NOW), NOW)).toBe(5);
  });

  it('fills at its rate, token by token', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, NOW);
    drain(bucket, NOW);
    expect(bucket.take(NOW + 99)).toBe(false);
    expect(bucket.take(NOW + 100)).toBe(true);
    expect(bucket.take(NOW + 100)).toBe(false);
    expect(drain(bucket, NOW + 400)).toBe(3);
  });

  it('never holds more than its burst', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, NOW);
    drain(bucket, NOW);
    expect(drain(bucket, NOW + 60_000)).toBe(5);
  });

  it('loses nothing to rounding, however often it is asked', () => {
    const bucket = new TokenBucket({ perSecond: 3, burst: 1_000 }, NOW);
    drain(bucket, NOW);
    let taken = 0;
    for (let ms = 1; ms <= 100_000; ms += 1) taken += bucket.take(NOW + ms) ? 1 : 0;
    expect(taken).toBe(300);
  });

  it('stands still while a clock that was set back catches up, and goes on from there', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, NOW);
    bucket.take(NOW);
    expect(drain(bucket, NOW - 60_000)).toBe(4);
    expect(drain(bucket, NOW - 60_000 + 100)).toBe(1);
  });

  it('takes no token that is not whole', () => {
    const bucket = new TokenBucket({ perSecond: 0.5, burst: 1 }, NOW);
    expect(drain(bucket, NOW)).toBe(1);
    expect(drain(bucket, NOW + 1_999)).toBe(0);
    expect(drain(bucket, NOW + 2_000)).toBe(1);
  });
});

it('lets no more through in any span of time than its burst and what its rate makes of the span', () => {
  const rates = fc.record({
    perSecond: fc.integer({ min: 1, max: 50 }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  const pauses = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(rates, pauses, (rate, pausesMs) => {
      const bucket = new TokenBucket(rate, NOW);
      const takenAtMs: number[] = [];
      let now = NOW;
      for (const pause of pausesMs) {
        now += pause;
        if (bucket.take(now)) takenAtMs.push(now);
      }
      for (const [first, from] of takenAtMs.entries()) {
        for (const [last, to] of takenAtMs.entries()) {
          if (last < first) continue;
          expect(last - first + 1).toBeLessThanOrEqual(rate.burst + ((to - from) * rate.perSecond) / 1000);
        }
      }
    }),
  );
});
