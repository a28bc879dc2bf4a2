import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../../../shared/client/index.ts';
import { FanwireError } from '../../../shared/client/index.ts';
import { Clock } from './clock.ts';
import type { Fate } from './fake-server.ts';
import { connected, listen, outcomeOf, range, type World, world } from './harness.ts';
import { HOUR, jwt, MINUTE, pauses, renewing } from './issuer.ts';

const statesOf = ({ states }: World): string[] => states.map(({ state }) => state);

/** For so many seconds, without a break. */
async function stream({ client, server, clock }: World, seconds: number) {
  const log = listen(client, 'log/a');
  const live = listen(client, 'live/a');
  await clock.advance(50);
  const all = range(1, seconds * 4);
  for (const n of all) {
    server.publish('log/a', n);
    server.publish('live/a', n);
    await clock.advance(250);
  }
  await clock.advance(100);
  return { all, data: [log.data, live.data], recoveries: [...log.recoveries, ...live.recoveries] };
}

describe('before its token expires, a connection', () => {
  it('is given another one: nothing lost, nothing twice, no state and no other connection', async () => {
    const it = await renewing({ lifeSeconds: MINUTE, isRenewed: true });
    const { all, data, recoveries } = await stream(it, 10 * MINUTE);
    expect(data).toEqual([all, all]);
    expect([statesOf(it), recoveries, it.errors]).toEqual([['connected'], [], []]);
    expect(it.dialledAt.length).toBe(1);
    expect(it.server.commandsOf('authenticate').length).toBeGreaterThan(10);
    expect(it.server.commandsOf('subscribe').length).toBe(2);
  });

  it.each<Fate>([
    { error: 'unknown_action' },
    { error: 'unauthenticated' },
    { error: 'expired' },
    { error: 'forbidden' },
    { error: 'unavailable' },
    { error: 'rate_limited', retryAfterMs: 1000 },
    { error: 'rate_limited', retryAfterMs: 20_000 },
    { error: 'rate_limited', retryAfterMs: 1e9 },
    'gateway error',
    'lost',
    { replyAfterMs: 12_000 },
  ])('is replaced in time if the server does not answer that it has taken it: %j', async (fate) => {
    const it = await renewing({ lifeSeconds: MINUTE, isRenewed: true });
    it.server.onCommand = ({ action }) => (action === 'authenticate' ? fate : undefined);
    const { all, data, recoveries } = await stream(it, 5 * MINUTE);
    expect(data).toEqual([all, all]);
    expect([statesOf(it), recoveries]).toEqual([['connected'], []]);
    expect(it.errors.length).toBe(fate === 'gateway error' ? it.dialledAt.length - 1 : 0);
    expect(it.dialledAt.length).toBeGreaterThan(5);
    expect(it.dialledAt.length).toBeLessThan(30);
  });

  it('is given one later if the server has had too many for now, and is not replaced', async () => {
    const it = await renewing({ lifeSeconds: HOUR, isRenewed: true });
    const askedAtMs: number[] = [];
    it.server.onCommand = ({ action }) => {
      if (action !== 'authenticate') return undefined;
      askedAtMs.push(it.clock.now());
      return askedAtMs.length < 4 ? { error: 'rate_limited', retryAfterMs: 4000 } : undefined;
    };
    const { all, data, recoveries } = await stream(it, HOUR);
    expect(data).toEqual([all, all]);
    expect([statesOf(it), recoveries, it.errors, it.dialledAt.length]).toEqual([['connected'], [], [], 1]);
    expect(askedAtMs.length).toBe(4);
    expect(Math.min(...pauses(askedAtMs))).toBeGreaterThan(4000);
  });

  it('is replaced in time if the server has too many for ever, and not asked all the time', async () => {
    const it = await renewing({ lifeSeconds: HOUR, isRenewed: true });
    it.server.onCommand = ({ action }) =>
      action === 'authenticate' ? { error: 'rate_limited', retryAfterMs: 1000 } : undefined;
    await it.clock.advance(HOUR * 1000);
    expect([statesOf(it), it.dialledAt.length]).toEqual([['connected'], 2]);
    expect(it.dialledAt[1]).toBeGreaterThan(HOUR - MINUTE);
    const { length } = it.server.commandsOf('authenticate');
    expect(length).toBeGreaterThan(10);
    expect(length).toBeLessThan(60);
  });

  it.each([-24 * HOUR, -10 * MINUTE, 270, 290, 299, 10 * MINUTE, 24 * HOUR])(
    'is given one in time by a clock that is wrong by %d s, and not again and again',
    async (wrongBySeconds) => {
      const clock = new Clock();
      const now = () => clock.now() + wrongBySeconds * 1000;
      const it = await renewing({ lifeSeconds: 5 * MINUTE, isRenewed: true }, { now }, clock);
      await clock.advance(HOUR * 1000);
      expect([statesOf(it), it.dialledAt.length]).toEqual([['connected'], 1]);
      expect(it.server.commandsOf('authenticate').length).toBeLessThan(18);
    },
  );

  it('is given one a few times only while there is no later one', async () => {
    const it = await renewing({ lifeSeconds: HOUR, cachedUntilSeconds: MINUTE, isRenewed: true });
    await it.clock.advance(HOUR * 1000);
    expect([statesOf(it), it.dialledAt.length]).toEqual([['connected'], 1]);
    expect(it.server.commandsOf('authenticate').length).toBeLessThan(12);
  });

  it('goes on if there is none for now, and for good', async () => {
    let isSignedIn = true;
    const clock = new Clock();
    const exp = () => clock.now() / 1000 + MINUTE;
    const token = () => {
      if (isSignedIn) return jwt({ iat: clock.now() / 1000, exp: exp() });
      throw new FanwireError('forbidden', 'signed out');
    };
    const it = await connected({ token }, undefined, clock);
    it.server.onAuthenticate = () => new Date(exp() * 1000).toISOString();
    isSignedIn = false;
    await clock.advance(50_000);
    expect(it.errors).toMatchObject([{ message: 'signed out' }]);
    isSignedIn = true;
    const refreshed = outcomeOf(it.client.refresh());
    await clock.advance(10 * MINUTE * 1000);
    expect(refreshed.value?.expiresAt).toBeDefined();
    expect([statesOf(it), it.server.sockets.length, it.errors.length]).toEqual([['connected'], 1, 1]);
    expect(it.server.commandsOf('authenticate').length).toBeGreaterThan(10);
  });
});

/** Tokens that say nothing to the client: t1, t2, … */
async function numbered(options: Partial<ClientOptions> = {}) {
  let tokens = 0;
  const it = await connected({ token: () => `t${++tokens}`, ...options });
  it.server.onAuthenticate = () => new Date(it.clock.now() + 5 * MINUTE * 1000).toISOString();
  return it;
}

describe('refresh', () => {
  it('gives the connection a new token, and until when it is good', async () => {
    const { client, server, clock } = await numbered();
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    expect(server.commandsOf('authenticate')).toMatchObject([{ token: 't2' }]);
    expect(refreshed.value).toEqual({
      expiresAt: new Date(clock.now() - 40 + 5 * MINUTE * 1000).toISOString(),
    });
  });

  it('is one for all that call it at the same time', async () => {
    const { client, server, clock } = await numbered();
    const both = [client.refresh(), client.refresh()].map(outcomeOf);
    await clock.advance(50);
    expect(server.commandsOf('authenticate').length).toBe(1);
    expect(both[0]?.value?.expiresAt).toBeDefined();
    expect(both[1]?.value).toEqual(both[0]?.value);
    client.refresh();
    await clock.advance(50);
    expect(server.commandsOf('authenticate')).toMatchObject([{ token: 't2' }, { token: 't3' }]);
  });

  it('tells of the end of a token that says nothing to the client', async () => {
    const it = await numbered();
    it.client.refresh();
    await it.clock.advance(HOUR * 1000);
    const { length } = it.server.commandsOf('authenticate');
    expect(length).toBeGreaterThan(10);
    expect(length).toBeLessThan(18);
    expect(it.server.sockets.length).toBe(1);
  });

  it.each(['unknown_action', 'unauthenticated', 'expired', 'forbidden', 'unavailable'])(
    'is rejected with %s, and the connection goes on',
    async (error) => {
      const it = await numbered();
      it.server.onCommand = ({ action }) => (action === 'authenticate' ? { error } : undefined);
      const refreshed = outcomeOf(it.client.refresh());
      await it.clock.advance(MINUTE * 1000);
      expect(refreshed.error?.code).toBe(error);
      expect([statesOf(it), it.server.sockets.length, it.errors]).toEqual([['connected'], 1, []]);
    },
  );

  it('is rejected with the time after which the server takes another, and is not asked again by itself', async () => {
    const it = await numbered();
    it.server.onCommand = ({ action }) =>
      action === 'authenticate' ? { error: 'rate_limited', retryAfterMs: 4000 } : undefined;
    const refreshed = outcomeOf(it.client.refresh());
    await it.clock.advance(MINUTE * 1000);
    expect(refreshed.error).toMatchObject({ code: 'rate_limited', temporary: true, retryAfterMs: 4000 });
    expect(it.server.commandsOf('authenticate').length).toBe(1);
    expect([statesOf(it), it.server.sockets.length, it.errors]).toEqual([['connected'], 1, []]);
  });

  it('is rejected if the connection ends before the answer', async () => {
    const { client, server, clock } = await numbered();
    server.onCommand = () => 'lost';
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    server.socket.cut();
    await clock.advance(50);
    expect(refreshed.error?.code).toBe('disconnected');
  });

  it('does nothing without a token', async () => {
    const { client, clock, server } = await connected();
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    expect(refreshed.value).toEqual({});
    expect(server.commandsOf('authenticate')).toEqual([]);
  });

  it('leaves it to the next connection if there is none', async () => {
    const it = world({ token: () => 't' }, (server) => {
      server.onConnect = () => 'refuse';
    });
    await it.clock.advance(50);
    const refreshed = outcomeOf(it.client.refresh());
    await it.clock.advance(50);
    expect(refreshed.value).toEqual({});
  });

  it('gives a connection that is about to take over no older token', async () => {
    const it = await numbered();
    const { client, server, clock } = it;
    listen(client, 'log/a');
    const [old] = server.sockets;
    await clock.advance(50);
    server.onCommand = (_, socket) => (socket === old ? undefined : { replyAfterMs: 2000 });
    if (old) old.isOld = true;
    while (server.sockets.length < 2) await clock.advance(1000);
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(MINUTE * 1000);
    expect(refreshed.value).toBeDefined();
    const [open] = server.openSockets;
    expect([open?.protocols[1], server.openSockets.length]).toEqual(['bearer.t4', 1]);
    expect(statesOf(it)).toEqual(['connected']);
  });

  it('does not wait for ever for a token', async () => {
    const tokens = ['t1'];
    const token = () => tokens.shift() ?? new Promise<string>(() => {});
    const { client, clock } = await connected({ token });
    const first = outcomeOf(client.refresh());
    await clock.advance(10_000);
    expect(first.error).toMatchObject({ code: 'timeout', temporary: true });
    const second = outcomeOf(client.refresh());
    client.close();
    await clock.advance(50);
    expect(second.error?.code).toBe('closed');
  });
});
