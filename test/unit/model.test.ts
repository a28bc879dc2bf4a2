import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../infra/local/faults/random.ts';
import { simulateConnecting } from '../../infra/model/connecting.ts';
import { simulateDelivery } from '../../infra/model/delivery.ts';
import { createDice } from '../../infra/model/dice.ts';
import { Limiter } from '../../infra/model/limiter.ts';
import { AWS, localParameters, type Parameters, withQuotas } from '../../infra/model/parameters.ts';
import { at, planFor } from '../../infra/model/plan.ts';
import { Simulation } from '../../infra/model/simulation.ts';

const deliver = (subscribers: number, seed = 1, parameters: Parameters = AWS) =>
  simulateDelivery(subscribers, parameters, createDice(createRandom(seed)));
const connect = (clients: number, seed = 1, parameters: Parameters = AWS) =>
  simulateConnecting(clients, parameters, createDice(createRandom(seed)));

/** The most that fall into any second. */
function mostInASecond(times: Float64Array): number {
  const sorted = times.toSorted();
  let from = 0;
  let most = 0;
  for (const [to, time] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= time - 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

const sizes = fc.integer({ min: 1, max: 20_000 });
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('a simulation', () => {
  it('lets things happen in the order of their times, and of their setting at the same time', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
        const simulation = new Simulation();
        const happened: (readonly [number, number])[] = [];
        for (const [index, time] of times.entries()) {
          simulation.at(time, () => happened.push([simulation.now, index]));
        }
        simulation.run();
        const inOrder = times.map((time, index) => [time, index] as const);
        expect(happened).toEqual(inOrder.toSorted(([a, m], [b, n]) => a - b || m - n));
      }),
    );
  });

  it('keeps to a rate once its burst is used', () => {
    const limiter = new Limiter({ perSecond: 10, burst: 3 });
    expect([0, 0, 0, 0, 0].map((now) => limiter.take(now))).toEqual([0, 0, 0, 100, 200]);
    expect(limiter.take(10_000)).toBe(10_000);
  });

  it('draws latencies with the percentiles that it is given', () => {
    const dice = createDice(createRandom(7));
    const drawn = Float64Array.from({ length: 50_000 }, () => dice({ p50: 10, p99: 80 })).sort();
    expect(at(drawn, 0.5)).toBeCloseTo(10, 0);
    expect(at(drawn, 0.99) / 80).toBeCloseTo(1, 1);
  });
});

describe('a delivery', () => {
  it('reaches every subscriber once, after it was resolved', () => {
    fc.assert(
      fc.property(sizes, seeds, (subscribers, seed) => {
        const { receivedAtMs, postedAtMs, resolvedAtMs } = deliver(subscribers, seed);
        expect(receivedAtMs.length).toBe(subscribers);
        expect(postedAtMs.every((time) => time >= resolvedAtMs)).toBe(true);
        expect(receivedAtMs.every((time, index) => time > (postedAtMs[index] ?? Infinity))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('never posts more in a second than the budget, nor runs more workers than it may', () => {
    fc.assert(
      fc.property(sizes, seeds, (subscribers, seed) => {
        const { postedAtMs, environments, jobs, invocations } = deliver(subscribers, seed);
        // Turns are evenly spaced, and a post may begin a little later than its turn.
        const lateMs = AWS.fanwire.postsInFlightMax * AWS.fanwire.postCpuMs;
        const allowed = AWS.gateway.posts.perSecond * (1 + lateMs / 1_000) + 1;
        expect(mostInASecond(postedAtMs)).toBeLessThanOrEqual(Math.min(allowed, 10_000));
        expect(environments).toBeLessThanOrEqual(AWS.mapping.concurrencyMax);
        expect(invocations).toBeLessThanOrEqual(jobs);
      }),
      { numRuns: 20 },
    );
  });

  it('is the same for the same seed, and another for another', () => {
    expect(deliver(3_000, 5)).toEqual(deliver(3_000, 5));
    expect(deliver(3_000, 5)).not.toEqual(deliver(3_000, 6));
  });

  it('serves few from the fan-out itself, without jobs', () => {
    expect(deliver(1_000)).toMatchObject({ jobs: 0, invocations: 0 });
    expect(deliver(1_001)).toMatchObject({ jobs: 3 });
  });

  it('takes at least as long as the budget of posts says', () => {
    const { receivedAtMs } = deliver(50_000);
    const seconds = 50_000 / AWS.gateway.posts.perSecond;
    expect(Math.max(...receivedAtMs)).toBeGreaterThan(seconds * 1_000);
    expect(Math.max(...receivedAtMs)).toBeLessThan((seconds + 3) * 1_000);
  });

  it('is nothing but its path where nothing is limited', () => {
    const parameters = localParameters({ pathMs: 10, hopMs: 5, postsPerSecond: 1e9, postMs: 2 });
    const { receivedAtMs } = deliver(100, 1, {
      ...parameters,
      fanwire: { ...parameters.fanwire, postsInFlightMax: 50 },
    });
    // Fifty posts in flight, twice.
    expect(at(receivedAtMs.toSorted(), 0.5)).toBeCloseTo(17, 3);
    expect(at(receivedAtMs.toSorted(), 1)).toBeCloseTo(19, 3);
  });
});

describe('connecting', () => {
  it('lets in no more than the burst and the rate in any second', () => {
    const { connections } = AWS.gateway;
    const { admittedAtMs, subscribedAtMs } = connect(5_000);
    expect(mostInASecond(admittedAtMs)).toBeLessThanOrEqual(connections.perSecond + connections.burst);
    expect(subscribedAtMs.every((time) => time > 0)).toBe(true);
  });

  it('is held up by the one shard of the topic once the quota of connections is raised', () => {
    const raised = withQuotas(AWS, { connectionsPerSecond: 5_000 });
    const large = planFor({ subscribers: 20_000, seed: 1 }, raised).at(-1);
    expect(large?.limits[0]?.limit).toContain("topic's one shard");
    expect(large?.connect.lastMs).toBeGreaterThan(19_000);
  });
});

describe('a plan', () => {
  const plans = planFor({ subscribers: 100_000, seed: 1 });

  it('goes through the powers of ten', () => {
    expect(plans.map(({ subscribers }) => subscribers)).toEqual([1_000, 10_000, 100_000]);
    expect(planFor({ subscribers: 500, seed: 1 }).map(({ subscribers }) => subscribers)).toEqual([500]);
  });

  it('names the quota of posts as what holds up a large delivery', () => {
    expect(plans.at(-1)?.limits.at(-1)?.limit).toContain('posts/s');
  });

  it('names the processors of the workers once the quota is raised beyond them, and more workers help', () => {
    const raised = (workersMax: number) => withQuotas(AWS, { postsPerSecond: 200_000, workersMax });
    const plan = planFor({ subscribers: 10_000, seed: 1 }, raised(10)).at(-1);
    expect(plan?.limits.at(-1)?.limit).toContain('processors');
    const lastMs = (workersMax: number) =>
      deliver(300_000, 1, raised(workersMax)).receivedAtMs.reduce((one, other) => Math.max(one, other));
    expect(lastMs(50)).toBeLessThan(lastMs(10) - 1_000);
  });

  it("keeps within 5 % of API Gateway's own price, the waiting of workers included", () => {
    for (const { dollarsPerMillionDeliveries } of plans) {
      expect(dollarsPerMillionDeliveries).toBeGreaterThan(1);
      expect(dollarsPerMillionDeliveries).toBeLessThan(1.05);
    }
  });
});
