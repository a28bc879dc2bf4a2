import { describe, expect, it } from 'vitest';
import { isThrottle, jittered, RefusedError, untilTaken } from '../../shared/retry.ts';
import { waitingClock } from '../support/waits.ts';

const patience = { firstWaitMs: 100, waitMaxMs: 800, totalMs: 10_000 };

/** A service that refuses items so many times each, and what it was sent. */
function refusing(times: Record<string, number>) {
  const sent: string[][] = [];
  const send = async (rest: readonly string[]) => {
    sent.push([...rest]);
    return rest.filter((item) => {
      const left = times[item] ?? 0;
      times[item] = left - 1;
      return left > 0;
    });
  };
  return { sent, send };
}

describe('what a batch call refuses', () => {
  it.each([
    ['nothing', {}, ['abc']],
    ['some of it once', { b: 1 }, ['abc', 'b']],
    ['some once and some twice', { a: 2, c: 1 }, ['abc', 'ac', 'a']],
    ['all of it twice', { a: 2, b: 2, c: 2 }, ['abc', 'abc', 'abc']],
  ])('is sent again in its order, and what was taken is not: %s', async (_, times, batches) => {
    const { sent, send } = refusing(times);
    expect(await untilTaken(['a', 'b', 'c'], send, patience, waitingClock())).toEqual([]);
    expect(sent.map((items) => items.join(''))).toEqual(batches);
  });

  it('until the patience is at its end is the answer', async () => {
    const { sent, send } = refusing({ a: Number.POSITIVE_INFINITY, c: Number.POSITIVE_INFINITY });
    const clock = waitingClock();
    expect(await untilTaken(['a', 'b', 'c'], send, patience, clock)).toEqual(['a', 'c']);
    const waitedMs = clock.waits.reduce((sum, ms) => sum + ms);
    expect(waitedMs).toBeLessThanOrEqual(patience.totalMs);
    expect(waitedMs).toBeGreaterThan(patience.totalMs - patience.waitMaxMs);
    expect(sent).toHaveLength(clock.waits.length + 1);
  });

  it('takes time too: calls count as well as waits', async () => {
    const { sent, send } = refusing({ a: Number.POSITIVE_INFINITY });
    const clock = waitingClock();
    const slow = async (rest: readonly string[]) => {
      await clock.wait(4_000);
      return send(rest);
    };
    expect(await untilTaken(['a'], slow, patience, clock)).toEqual(['a']);
    expect(sent).toHaveLength(3);
  });

  it('and no later try can cure fails at once, with its reason', async () => {
    const clock = waitingClock();
    const send = () => Promise.reject(new Error('malformed'));
    await expect(untilTaken(['a'], send, patience, clock)).rejects.toThrow('malformed');
    expect(clock.waits).toEqual([]);
  });

  it('is not asked about when there is nothing', async () => {
    const { sent, send } = refusing({});
    expect(await untilTaken([], send, patience, waitingClock())).toEqual([]);
    expect(sent).toEqual([]);
  });
});

describe('the waits', () => {
  const waitsWith = async (random: () => number) => {
    const clock = waitingClock(random);
    const { send } = refusing({ a: 6 });
    await untilTaken(['a'], send, patience, clock);
    return clock.waits;
  };

  it('double up to the longest, and are never less than half of that', async () => {
    expect(await waitsWith(() => 0)).toEqual([50, 100, 200, 400, 400, 400]);
    expect(await waitsWith(() => 1)).toEqual([100, 200, 400, 800, 800, 800]);
  });

  it('differ by chance', () => {
    expect([0, 0.5, 0.9].map((chance) => jittered(100, () => chance))).toEqual([50, 75, 95]);
  });
});

describe('what a service calls too much for now', () => {
  const named = (name: string) => Object.assign(new Error(), { name });

  it.each([
    'ProvisionedThroughputExceededException',
    'RequestLimitExceeded',
    'RequestThrottled',
    'ThrottlingException',
    'Throttling',
    'TooManyRequestsException',
  ])('is an error with the name %s', (name) => {
    expect(isThrottle(named(name))).toBe(true);
    expect(isThrottle({ name })).toBe(false);
  });

  it('is the rest of a batch that it did not take', () => {
    expect(isThrottle(new RefusedError('left over'))).toBe(true);
  });

  it('is nothing that is wrong', () => {
    expect(isThrottle(named('AccessDeniedException'))).toBe(false);
  });
});
