import { describe, expect, it } from 'vitest';
import type { Fate } from './fake-server.ts';
import { connected, listen, outcomeOf, range, type World } from './harness.ts';

const limited = (retryAfterMs: number): Fate => ({ error: 'rate_limited', retryAfterMs });

/** Until then the server refuses an action, saying how long it is until then. Gives when it refused. */
function limitedFor({ server, clock }: World, ms: number, ...actions: string[]): number[] {
  const untilMs = clock.now() + ms;
  const refusedAt: number[] = [];
  server.onCommand = ({ action }) => {
    if (!actions.includes(action) || clock.now() >= untilMs) return undefined;
    refusedAt.push(clock.now());
    return limited(untilMs - clock.now());
  };
  return refusedAt;
}

describe('a client above its rate', () => {
  it('publishes again by itself once it may, in order, and not before', async () => {
    const world = await connected();
    const { client, server, clock, errors } = world;
    const { data } = listen(client, 'log/a');
    await clock.advance(50);
    const refusedAt = limitedFor(world, 7000, 'publish');
    const published = range(1, 30).map((n) => outcomeOf(client.publish('log/a', n)));
    await clock.advance(6000);
    published.push(outcomeOf(client.publish('log/a', 31)));
    await clock.advance(10_000);
    expect(refusedAt.length).toBe(1);
    expect(published.map(({ value }) => value?.offset)).toEqual(range(1, 31));
    expect(data).toEqual(range(1, 31));
    expect(server.log('log/a').newest).toBe(31);
    expect(errors).toEqual([]);
  });

  it('publishes no longer than it has time for', async () => {
    const world = await connected({ publishTimeoutMs: 5000 });
    limitedFor(world, 60_000, 'publish');
    const published = outcomeOf(world.client.publish('log/a', 1));
    await world.clock.advance(5000);
    expect(published.error?.code).toBe('timeout');
  });

  it('subscribes once it may, and asks for what it has missed once it may', async () => {
    const world = await connected({ bufferMax: 50 });
    const { client, server, clock, errors } = world;
    const refusedAt = limitedFor(world, 7000, 'subscribe');
    const { data, sub } = listen(client, 'log/a');
    await clock.advance(6000);
    expect([sub.state, refusedAt.length]).toEqual(['subscribing', 1]);
    await clock.advance(3000);
    expect(sub.state).toBe('subscribed');
    server.onLive = () => 'lost';
    server.publish('log/a', 1);
    server.onLive = () => undefined;
    server.publish('log/a', 2);
    const again = limitedFor(world, 9000, 'history');
    await clock.advance(8000);
    expect([data, again.length]).toEqual([[], 1]);
    await clock.advance(4000);
    expect(data).toEqual([1, 2]);
    expect(errors).toEqual([]);
  });

  it('is told when to ask again, if it is the application that asks', async () => {
    const { client, server, clock } = await connected();
    server.onCommand = () => limited(1500);
    const asked: Promise<unknown>[] = [
      client.whoami(),
      client.history('log/a'),
      client.send({ userId: 'ada' }, 1),
    ];
    const outcomes = asked.map(outcomeOf);
    await clock.advance(50);
    for (const { error } of outcomes) {
      expect(error).toMatchObject({ code: 'rate_limited', temporary: true, retryAfterMs: 1500 });
    }
  });

  it('asks less and less often if it is told to ask again at once', async () => {
    const { client, server, clock } = await connected();
    server.onCommand = () => limited(0);
    listen(client, 'live/a');
    client.publish('live/a', 1).catch(() => {});
    await clock.advance(100_000);
    expect(server.commandsOf('subscribe').length).toBeLessThan(15);
    expect(server.commandsOf('publish').length).toBeLessThan(15);
  });

  it('asks after a minute all the same, whatever it was told', async () => {
    const { client, server, clock } = await connected({ publishTimeoutMs: Infinity });
    server.onCommand = () => limited(Number.MAX_SAFE_INTEGER);
    const { sub } = listen(client, 'live/a');
    const published = outcomeOf(client.publish('live/a', 1));
    await clock.advance(50);
    server.onCommand = () => undefined;
    await clock.advance(65_000);
    expect(sub.state).toBe('subscribed');
    expect(published.value).toBeDefined();
  });

  it('does not subscribe to many topics again all at the same moment', async () => {
    let chance = 0;
    const random = () => {
      chance = (chance + 0.1) % 1;
      return chance;
    };
    const world = await connected({ random });
    limitedFor(world, 2000, 'subscribe');
    for (const n of range(1, 10)) listen(world.client, `live/${n}`);
    await world.clock.advance(50);
    const arrivedAt = new Set<number>();
    world.server.onCommand = () => {
      arrivedAt.add(world.clock.now());
      return undefined;
    };
    await world.clock.advance(5000);
    expect(arrivedAt.size).toBeGreaterThan(5);
  });
});

it('what is one too many is refused for good, as ever', async () => {
  const { client, server, clock } = await connected();
  server.onCommand = () => ({ error: 'limit_exceeded' });
  const { sub } = listen(client, 'live/a');
  await clock.advance(50);
  expect(sub.error).toMatchObject({ code: 'limit_exceeded', temporary: false, retryAfterMs: undefined });
});
