import { describe, expect, it } from 'vitest';
import { Clock } from './clock.ts';
import { connected, listen, range } from './harness.ts';
import { base64Url, HOUR, jwt, MINUTE, pauses, renewing } from './issuer.ts';

const given = (token: unknown, clock = new Clock()) =>
  connected({ token: () => token as string }, () => {}, clock);

describe('before its token expires, a connection', () => {
  it('is replaced without the application noticing: no state, no report, nothing lost, nothing twice', async () => {
    const { client, server, clock, states, errors, dialledAt } = await renewing({ lifeSeconds: MINUTE });
    const log = listen(client, 'log/a');
    const live = listen(client, 'live/a');
    await clock.advance(50);
    for (const n of range(1, 6000)) {
      server.publish('log/a', n);
      server.publish('live/a', n);
      await clock.advance(100);
    }
    await clock.advance(50);
    expect(log.data).toEqual(range(1, 6000));
    expect(live.data).toEqual(range(1, 6000));
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect([...log.recoveries, ...live.recoveries, ...errors]).toEqual([]);
    expect(dialledAt.length).toBeGreaterThan(10);
    expect(Math.min(...pauses(dialledAt))).toBeGreaterThan(10);
  });

  it.each([
    [HOUR, 0, HOUR - 360],
    [HOUR, 1, HOUR - 540],
    [5 * MINUTE, 0, 270],
    [5 * MINUTE, 1, 255],
    [20, 0, 10],
  ])(
    'of %d s is replaced early enough, and not all clients at once: with chance %d after %d s',
    async (lifeSeconds, chance, after) => {
      const { clock, dialledAt } = await renewing({ lifeSeconds }, { random: () => chance });
      await clock.advance((after - 1) * 1000);
      expect(dialledAt.length).toBe(1);
      await clock.advance(2000);
      expect(dialledAt.length).toBe(2);
    },
  );

  it.each([-24 * HOUR, -10 * MINUTE, 10 * MINUTE, 24 * HOUR])(
    'is replaced in time by a clock that is wrong by %d s, and not again and again',
    async (wrongBySeconds) => {
      const clock = new Clock();
      const now = () => clock.now() + wrongBySeconds * 1000;
      const { dialledAt, states } = await renewing({ lifeSeconds: 5 * MINUTE }, { now }, clock);
      await clock.advance(HOUR * 1000);
      expect(states.map(({ state }) => state)).toEqual(['connected']);
      expect(dialledAt.length).toBeGreaterThan(10);
      expect(Math.min(...pauses(dialledAt))).toBeGreaterThan(200);
    },
  );

  it.each([200, 250, 270, 290, 299])(
    'is replaced early once, and then in time, by a clock that is wrong by less than a life, %d s',
    async (wrongBySeconds) => {
      const clock = new Clock();
      const now = () => clock.now() + wrongBySeconds * 1000;
      const { dialledAt, states } = await renewing({ lifeSeconds: 5 * MINUTE }, { now }, clock);
      await clock.advance(HOUR * 1000);
      expect(states.map(({ state }) => state)).toEqual(['connected']);
      expect(Math.min(...pauses(dialledAt).slice(1))).toBeGreaterThan(150);
    },
  );

  it('is replaced in time if the first token is an old one, from a cache', async () => {
    const issuer = { lifeSeconds: HOUR, ageSeconds: 50 * MINUTE, cachedUntilSeconds: 5 * MINUTE };
    const { clock, dialledAt, states } = await renewing(issuer);
    await clock.advance(2 * HOUR * 1000);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect(dialledAt.length).toBeLessThan(8);
  });

  it.each([
    [10, 0],
    [20, 0],
    [50, 0],
    [100, 0],
    [140, 0],
    [50, -10 * MINUTE],
    [50, 10],
    [50, 10 * MINUTE],
  ])(
    'is replaced in time if a later token, of %d s after the first, is old, too, with a clock that is wrong by %d s',
    async (renewedAfterSeconds, wrongBySeconds) => {
      const clock = new Clock();
      const now = () => clock.now() + wrongBySeconds * 1000;
      const issuer = { lifeSeconds: 3 * MINUTE, cachedUntilSeconds: 30, renewedAfterSeconds };
      const { client, server, states, dialledAt } = await renewing(issuer, { now }, clock);
      const { data } = listen(client, 'live/a');
      await clock.advance(50);
      for (const n of range(1, 600)) {
        server.publish('live/a', n);
        await clock.advance(1000);
      }
      expect(data).toEqual(range(1, 600));
      expect(states.map(({ state }) => state)).toEqual(['connected']);
      expect(dialledAt.length).toBeLessThan(12);
    },
  );

  it.each([10, MINUTE])(
    'is replaced a few times only while there is no later token, until %d s before its end',
    async (cachedUntilSeconds) => {
      const { clock, dialledAt } = await renewing({ lifeSeconds: 24 * HOUR, cachedUntilSeconds });
      await clock.advance(24 * HOUR * 1000 - 100);
      expect(dialledAt.length).toBeGreaterThan(2);
      expect(dialledAt.length).toBeLessThan(12);
      expect(Math.min(...pauses(dialledAt))).toBeGreaterThan(29.9);
    },
  );

  it.each([0, -10 * MINUTE])(
    'is replaced no sooner and no later because the one before had the same token, with a clock that is wrong by %d s',
    async (wrongBySeconds) => {
      const clock = new Clock();
      const now = () => clock.now() + wrongBySeconds * 1000;
      const issuer = { lifeSeconds: HOUR, cachedUntilSeconds: 0 };
      const { server, dialledAt } = await renewing(issuer, { random: () => 0, now }, clock);
      await clock.advance(10 * MINUTE * 1000);
      server.socket.cut();
      await clock.advance((44 * MINUTE - 1) * 1000);
      expect(dialledAt.length).toBe(2);
      await clock.advance(2000);
      expect(dialledAt.length).toBe(3);
    },
  );

  it('is replaced by the time of day if the token does not say when it was issued', async () => {
    const { clock, dialledAt, states } = await renewing({ lifeSeconds: 5 * MINUTE, withoutIat: true });
    await clock.advance(HOUR * 1000);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect(dialledAt.length).toBeLessThan(16);
  });

  it('of which this clock says that it is over is replaced once in 30 s at most', async () => {
    const clock = new Clock();
    const now = () => clock.now() + HOUR * 1000;
    const { dialledAt } = await renewing({ lifeSeconds: 5 * MINUTE, withoutIat: true }, { now }, clock);
    await clock.advance(10 * MINUTE * 1000);
    expect(Math.min(...pauses(dialledAt))).toBeGreaterThan(29.9);
  });

  it('is not replaced when it has ended: the next one has its own time', async () => {
    const { client, server, clock, dialledAt } = await renewing({ lifeSeconds: HOUR }, { random: () => 0 });
    await clock.advance(30 * MINUTE * 1000);
    server.socket.cut();
    await clock.advance(50 * MINUTE * 1000);
    expect(dialledAt.length).toBe(2);
    client.close();
    await clock.advance(50 * MINUTE * 1000);
    expect(dialledAt.length).toBe(2);
    expect(clock.waiting).toBe(0);
  });
});

describe('a token that does not say when it ends', () => {
  it.each([
    'opaque',
    'a.b.c',
    `a.${base64Url({ exp: 1001 })}`,
    `a.${base64Url({ exp: 1001 })}.b.c`,
    `a.${base64Url({ exp: 1001 })}~.b`,
    ...[null, 7, [], {}, { exp: '1001' }, { exp: null }, { exp: -1 }, { exp: 1e300 }, { exp: 1e12 }].map(jwt),
    `a.${Buffer.from('{"exp":1e999}').toString('base64url')}.b`,
  ])('is as good as any: %s', async (token) => {
    const { server, clock, states } = await given(token);
    await clock.advance(HOUR * 1000);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect(server.sockets.length).toBe(1);
  });
});

describe('a token that says what cannot be', () => {
  it.each(['x', null, -1, 1_000_000, 1e12])(
    'of when it was issued, %j, ends by the time of day',
    async (iat) => {
      const clock = new Clock();
      const { server } = await given(jwt({ exp: 1000 + HOUR, iat }), clock);
      await clock.advance(50 * MINUTE * 1000);
      expect(server.sockets.length).toBe(1);
      await clock.advance(5 * MINUTE * 1000);
      expect(server.sockets.length).toBe(2);
    },
  );

  it.each([
    { exp: 0 },
    { exp: 1 },
    { exp: 1000.5 },
    { exp: 1001, iat: 1000 },
    { exp: 1001, iat: 2000 },
    { exp: 1001, iat: 1e12 },
    { exp: 1001, iat: -1 },
    { exp: 1001, iat: 'x' },
  ])('of its end, or is over, makes few connections: %j', async (claims) => {
    const clock = new Clock();
    const { server, states } = await given(jwt(claims), clock);
    await clock.advance(10 * MINUTE * 1000);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect(server.sockets.length).toBeLessThanOrEqual(22);
  });
});
