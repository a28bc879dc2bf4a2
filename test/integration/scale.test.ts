import { expect, it, vi } from 'vitest';
import { burst, countOf, everybody, growth, misconduct, paced } from '../crowd/scenarios.ts';

// Each test boots a system of its own, for which other files have a hook's time.
vi.setConfig({ testTimeout: 60_000 });

/** A post that is answered later than its grace is made again, which is a tenth of this: a busy machine is slow. */
const PATIENT = { POST_TIMEOUT_MS: '60000' };

it('brings a message to 2,000 subscribers of one topic, to each exactly once', async () => {
  const { reports, longestShare, heapMb, steadyDollarsPerMillion } = await everybody(2_000, 2, PATIENT);
  for (const [index, { reached, missed, twice }] of reports.entries()) {
    expect([reached[index + 1], missed[index + 1], twice]).toEqual([2_000, 0, 0]);
  }
  expect(longestShare).toBeLessThan(0.5);
  expect(heapMb).toBeLessThan(256);
  expect(steadyDollarsPerMillion).toBeLessThan(1.05);
});

it('misses nobody, and serves nobody twice, while a topic grows from one shard to many', async () => {
  const { missed, twice, shards } = await growth(800, 50, { ...PATIENT, SHARD_SUBSCRIBERS_MAX: '50' });
  expect([missed, twice]).toEqual([0, 0]);
  expect(shards).toBeGreaterThan(10);
});

it('accounts for everybody when some hang, some are gone and some answer 429', async () => {
  const connections = 1_000;
  const conduct = { gone: 5, hang: 1, throttled: 2, throttledTimes: 1 };
  const [gone, hanging, throttled] = ['gone', 'hang', 'throttled'].map((each) =>
    countOf(connections, conduct, each),
  ) as [number, number, number];
  // A post that is answered later is made again, and half a second is little on a busy machine.
  const result = await misconduct(connections, conduct, { POST_TIMEOUT_MS: '2000' });
  expect(result).toMatchObject({
    delivered: connections - gone - hanging,
    gone,
    deadLettered: hanging,
    twice: 0,
  });
  // Nobody was posted to again but those that failed: the throttled once more, the hanging within the grace and twice in
  // all of their time.
  expect(result.posts).toBe(connections + throttled + 2 * hanging);
});

it('takes the turns of all workers from one schedule', async () => {
  const [connections, requestsPerSecond] = [1_000, 250];
  // Nobody waits for this clock but the posts themselves: one that is answered late would be made again.
  const { missed, twice, bookedMs } = await paced(connections, requestsPerSecond, {
    POST_TIMEOUT_MS: '20000',
  });
  expect([missed[1], twice]).toEqual([0, 0]);
  // Some turns are nobody's to ask for. That no post is made before its turn, the pace's own tests show on their clock.
  expect(bookedMs).toBeGreaterThan(0.95 * (connections / requestsPerSecond) * 1_000);
});

it('brings a burst of ten messages to each subscriber in one frame', async () => {
  const { postsPerSubscriber, missed, dollarsPerMillion } = await burst(600);
  expect(missed).toBe(0);
  expect(postsPerSubscriber).toBeLessThanOrEqual(1.2);
  expect(dollarsPerMillion).toBeLessThan(0.2);
});
