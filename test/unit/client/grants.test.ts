import { describe, expect, it } from 'vitest';
import {
  type Client,
  type ClientOptions,
  FanwireError,
  type Grant,
  type HistoryOptions,
  type SubscribeOptions,
} from '../../../shared/client/index.ts';
import type { FakeSocket } from './fake-server.ts';
import { connected, type Listened, listen, outcomeOf, range, type World } from './harness.ts';
import { HOUR, jwt, MINUTE } from './issuer.ts';

interface Granting extends World {
  /** Grants that the application was given, each for so many seconds. */
  readonly grants: string[];
  readonly grant: () => Promise<string>;
}

/** A server that lets nobody subscribe without a grant, and ends subscriptions with it, without a word. */
async function granting(lifeSeconds = 5 * MINUTE, options: Partial<ClientOptions> = {}): Promise<Granting> {
  const it = await connected(options);
  const { server, clock } = it;
  const grants: string[] = [];
  const ends = new Map<FakeSocket, Map<string, number>>();
  const grant = async () => {
    const iat = Math.floor(clock.now() / 1000);
    grants.push(jwt({ iat, exp: iat + lifeSeconds, n: grants.length }));
    return grants.at(-1) ?? '';
  };
  server.onGrant = ({ topic, grant }, socket) => {
    if (!grant) return topic.endsWith('free') ? {} : { error: 'forbidden' };
    const endsAtMs = JSON.parse(String(Buffer.from(grant.split('.')[1], 'base64url'))).exp * 1000;
    if (endsAtMs <= clock.now()) return { error: 'expired' };
    const ofSocket = ends.get(socket) ?? new Map();
    ends.set(socket, ofSocket.set(topic, endsAtMs));
    clock.setTimeout(() => {
      if (ofSocket.get(topic) === endsAtMs) socket.lapse(topic);
    }, endsAtMs - clock.now());
    return { expiresAt: new Date(endsAtMs).toISOString() };
  };
  return { ...it, grants, grant };
}

const sentGrants = ({ server }: World, action = 'subscribe'): string[] =>
  server.commandsOf(action).map(({ grant }) => grant);

/** For so many seconds, without a break. */
async function stream({ server, clock }: World, seconds: number): Promise<number[]> {
  const all = range(1, seconds * 2);
  for (const n of all) {
    server.publish('log/a', n);
    server.publish('live/a', n);
    await clock.advance(500);
  }
  await clock.advance(100);
  return all;
}

const shownBy = ({ recoveries, sub }: Listened) => [recoveries, sub.state];

describe('a grant', () => {
  it('goes out with each subscribe, asked for anew each time', async () => {
    const it = await granting();
    const { client, server, clock } = it;
    listen(client, 'log/a', { grant: it.grant });
    await clock.advance(1000);
    server.socket.cut();
    await clock.advance(5000);
    server.socket.isOld = true;
    await clock.advance(40_000);
    expect(server.sockets.length).toBe(3);
    expect(it.grants.length).toBe(3);
    expect(sentGrants(it)).toEqual(it.grants);
  });

  it('is renewed before it ends: nothing lost, nothing twice, nothing shown', async () => {
    const it = await granting(MINUTE);
    const log = listen(it.client, 'log/a', { grant: it.grant });
    const live = listen(it.client, 'live/a', { grant: it.grant });
    await it.clock.advance(50);
    const all = await stream(it, 10 * MINUTE);
    expect([log.data, live.data]).toEqual([all, all]);
    expect([log, live].map(shownBy)).toEqual([
      [[], 'subscribed'],
      [[], 'subscribed'],
    ]);
    expect(it.errors).toEqual([]);
    expect(it.grants.length).toBeGreaterThan(20);
    expect(it.grants.length).toBeLessThan(80);
    expect(it.server.sockets.length).toBe(1);
  });

  it('is renewed on a topic that nobody has published to, and on a pattern', async () => {
    const it = await granting();
    const quiet = listen(it.client, 'log/quiet', { grant: it.grant });
    const wild = listen(it.client, 'live/*', { grant: it.grant });
    await it.clock.advance(HOUR * 1000);
    expect([quiet, wild].map(shownBy)).toEqual([
      [[], 'subscribed'],
      [[], 'subscribed'],
    ]);
    expect(it.server.commandsOf('history')).toEqual([]);
    expect(sentGrants(it).length).toBeLessThan(40);
    it.server.publish('log/quiet', 1);
    it.server.publish('live/a', 2);
    await it.clock.advance(100);
    expect([quiet.data, wild.data]).toEqual([[1], [2]]);
  });

  it('is renewed while what came before is still being read', async () => {
    const it = await granting(MINUTE);
    it.server.publishMany('log/a', 1, 100);
    it.server.onCommand = ({ action }) => (action === 'history' ? { error: 'unavailable' } : undefined);
    const { sub, data } = listen(it.client, 'log/a', { grant: it.grant, rewind: 100 });
    await it.clock.advance(5 * MINUTE * 1000);
    expect([sub.state, it.server.sockets.length]).toEqual(['subscribing', 1]);
    it.server.onCommand = () => undefined;
    await it.clock.advance(MINUTE * 1000);
    expect([sub.state, data, it.errors]).toEqual(['subscribed', range(1, 100), []]);
    expect(it.server.sockets.length).toBe(1);
    expect(it.grants.indexOf(sentGrants(it, 'history').at(-1) ?? '')).toBeGreaterThan(5);
  });

  it('is renewed by the server’s word if it says nothing to the client', async () => {
    const it = await connected();
    const { client, server, clock } = it;
    server.onGrant = () => ({ expiresAt: new Date(clock.now() + 5 * MINUTE * 1000).toISOString() });
    listen(client, 'live/a', { grant: () => 'opaque' });
    await clock.advance(4 * MINUTE * 1000);
    expect(sentGrants(it)).toEqual(['opaque']);
    await clock.advance(MINUTE * 1000);
    expect(sentGrants(it)).toEqual(['opaque', 'opaque']);
  });

  it('that is renewed too late is as after a drop: what was missed comes, or is reported', async () => {
    let isAway = false;
    const it = await granting(MINUTE);
    const grant = () => (isAway ? Promise.reject(new TypeError('fetch failed')) : it.grant());
    const log = listen(it.client, 'log/a', { grant });
    const live = listen(it.client, 'live/a', { grant });
    await it.clock.advance(50);
    isAway = true;
    await it.clock.advance(2 * MINUTE * 1000);
    it.server.publish('log/a', 1);
    it.server.publish('live/a', 1);
    isAway = false;
    await it.clock.advance(30_000);
    it.server.publish('log/a', 2);
    it.server.publish('live/a', 2);
    await it.clock.advance(100);
    expect([log.data, live.data]).toEqual([[1, 2], [2]]);
    expect(log.recoveries).toMatchObject([{ recovered: true }]);
    expect(live.recoveries).toMatchObject([{ recovered: false, reason: 'no_history' }]);
    expect(it.errors).toEqual([]);
  });

  it('that is refused ends the subscription with an error, the first time', async () => {
    const it = await granting();
    const { sub } = listen(it.client, 'log/a', { grant: jwt({ exp: 1 }) });
    const ready = outcomeOf(sub.ready);
    await it.clock.advance(1000);
    for (const error of [sub.error, ready.error, ...it.errors]) expect(error?.code).toBe('expired');
    expect([sub.state, it.errors.length]).toEqual(['unsubscribed', 1]);
  });

  it.each(['forbidden', 'unauthenticated', 'expired'])(
    'that is refused later, as %s, ends the subscription with an error, and nothing else',
    async (code) => {
      const it = await granting();
      const { sub, data } = listen(it.client, 'log/a', { grant: it.grant });
      const other = listen(it.client, 'log/b', { grant: it.grant });
      await it.clock.advance(1000);
      it.server.onCommand = ({ action, topic }) =>
        action === 'subscribe' && topic === 'log/a' ? { error: code } : undefined;
      await it.clock.advance(5 * MINUTE * 1000);
      it.server.publish('log/a', 1);
      await it.clock.advance(1000);
      expect([sub.state, data, other.sub.state]).toEqual(['unsubscribed', [], 'subscribed']);
      for (const error of [sub.error, ...it.errors]) expect(error).toMatchObject({ code, temporary: false });
      expect(it.errors.length).toBe(1);
      expect(it.server.commandsOf('unsubscribe')).toMatchObject([{ topic: 'log/a' }]);
    },
  );

  it.each<[string, number, (it: Granting) => Promise<Grant>]>([
    ['fixed', 4, ({ grant }) => grant()],
    [
      'given once only',
      4,
      async ({ grant }) => {
        const only = await grant();
        return () => only;
      },
    ],
    [
      'denied later by the application',
      MINUTE,
      async ({ grant, grants }) =>
        () => {
          if (grants.length > 0) throw new FanwireError('forbidden', 'no member any more');
          return grant();
        },
    ],
    [
      'refused when it comes too late',
      4,
      async ({ grant, grants, server }) =>
        () => {
          if (grants.length > 0) server.onGrant = () => ({ error: 'forbidden' });
          return grant();
        },
    ],
    [
      'refused after an answer that was lost',
      4,
      async ({ grant, server }) => {
        server.onCommand = ({ grant }) => {
          if (!grant) return undefined;
          server.onCommand = () => undefined;
          server.onGrant = () => ({ error: 'forbidden' });
          return 'reply lost';
        };
        return grant;
      },
    ],
  ])(
    'that was %s ends its subscription at the server, too, and neighbours notice nothing',
    async (...given) => {
      const [, lifeSeconds, grantOf] = given;
      const it = await granting(lifeSeconds, { commandTimeoutMs: 3000 });
      const neighbour = listen(it.client, 'live/free');
      await it.clock.advance(50);
      const { sub } = listen(it.client, 'live/a', { grant: await grantOf(it) });
      for (let second = 0; second < 3 * MINUTE; second++) await it.clock.advance(1000);
      expect(it.server.commandsOf('unsubscribe')).toMatchObject([{ topic: 'live/a' }]);
      expect([sub.state, sub.error?.temporary]).toEqual(['unsubscribed', false]);
      expect([neighbour.recoveries, it.server.sockets.length]).toEqual([[], 1]);
      expect(it.server.commandsOf('ping').length).toBeGreaterThan(1);
    },
  );

  it('that is refused beside one that has just been left leaves nothing at the server', async () => {
    const it = await granting();
    const first = listen(it.client, 'live/a', { grant: it.grant });
    await it.clock.advance(1000);
    listen(it.client, 'live/a', { grant: jwt({ exp: 1 }) });
    first.sub.unsubscribe();
    await it.clock.advance(1000);
    expect([...it.server.socket.topics]).toEqual([]);
  });

  it.each(['log/a', 'live/a', 'log/*'])(
    'that is a text ends with its subscription to %s, and nothing more is sent or said to be lost',
    async (topic) => {
      const it = await granting();
      const { sub, data, recoveries } = listen(it.client, topic, { grant: await it.grant() });
      await it.clock.advance(5 * MINUTE * 1000 - 150);
      it.server.publish('log/a', 1);
      it.server.publish('live/a', 1);
      await it.clock.advance(50);
      expect([sub.state, data, it.errors]).toEqual(['subscribed', [1], []]);
      await it.clock.advance(MINUTE * 1000);
      expect(sub.error).toMatchObject({ code: 'expired', temporary: false });
      expect([it.errors, recoveries]).toEqual([[sub.error], []]);
      expect(it.server.commands.map(({ frame }) => frame.action).filter((it) => it !== 'ping')).toEqual([
        'subscribe',
        'unsubscribe',
      ]);
    },
  );

  it('that is a text is good for the next connection, too, until its end', async () => {
    const it = await granting();
    const { sub, recoveries } = listen(it.client, 'log/a', { grant: await it.grant() });
    await it.clock.advance(1000);
    it.server.socket.cut();
    await it.clock.advance(1000);
    expect([sub.state, sentGrants(it).length]).toEqual(['subscribed', 2]);
    await it.clock.advance(5 * MINUTE * 1000);
    expect([sub.error?.code, recoveries.length, sentGrants(it).length]).toEqual(['expired', 1, 2]);
  });

  it('that is a text and has ended without a connection is not sent on the next', async () => {
    const it = await granting();
    const { sub, recoveries } = listen(it.client, 'log/a', { grant: await it.grant() });
    await it.clock.advance(1000);
    it.server.onConnect = () => 'refuse';
    it.server.socket.cut();
    await it.clock.advance(5 * MINUTE * 1000);
    it.server.onConnect = () => 'open';
    await it.clock.advance(MINUTE * 1000);
    expect([it.client.state, sub.error?.code]).toEqual(['connected', 'expired']);
    expect([it.errors, recoveries, sentGrants(it).length]).toEqual([[sub.error], [], 1]);
  });

  it('that a function gives again and again ends its subscription with an error, not silently', async () => {
    const it = await granting();
    const only = await it.grant();
    const { sub } = listen(it.client, 'live/a', { grant: () => only });
    await it.clock.advance(6 * MINUTE * 1000);
    expect(sub.error?.code).toBe('expired');
    expect(it.errors.length).toBe(1);
    expect(sentGrants(it).length).toBeLessThan(6);
  });

  it('is asked for again if it cannot be had for now, and not if it never can be', async () => {
    const it = await granting();
    let tries = 0;
    const later = () => (++tries < 3 ? Promise.reject(new TypeError('fetch failed')) : it.grant());
    const never = () => {
      throw new FanwireError('forbidden', 'not a member');
    };
    const first = listen(it.client, 'log/a', { grant: later });
    const second = listen(it.client, 'log/b', { grant: never });
    await it.clock.advance(10_000);
    expect(first.sub.state).toBe('subscribed');
    expect(second.sub.error?.message).toBe('not a member');
    expect(sentGrants(it)).toEqual(it.grants);
  });

  it('that does not come for long holds nothing else up', async () => {
    const it = await granting();
    const { client, server, clock } = it;
    const held = listen(client, 'log/a', { grant: () => new Promise<string>(() => {}) });
    const free = listen(client, 'log/free');
    await clock.advance(1000);
    held.sub.unsubscribe();
    const again = listen(client, 'log/a', { grant: it.grant });
    await clock.advance(12_000);
    expect([free.sub.state, again.sub.state]).toEqual(['subscribed', 'subscribed']);
    expect(server.commandsOf('subscribe').length).toBe(2);
  });

  it('is of one subscription: one beside it goes on by its own right when that is left', async () => {
    const it = await granting();
    const { client, clock, server } = it;
    const byRight = listen(client, 'live/free');
    await clock.advance(50);
    const byGrant = listen(client, 'live/free', { grant: it.grant });
    await clock.advance(50);
    byGrant.sub.unsubscribe();
    await clock.advance(50);
    expect(server.commandsOf('subscribe').at(-1)).not.toHaveProperty('grant');
    expect(server.commandsOf('unsubscribe')).toEqual([]);
    expect(byRight.recoveries).toEqual([]);
  });

  it('is asked for no more when the subscription has ended, or the client', async () => {
    const it = await granting();
    const { sub } = listen(it.client, 'log/a', { grant: it.grant });
    listen(it.client, 'log/b', { grant: it.grant });
    await it.clock.advance(1000);
    sub.unsubscribe();
    await it.clock.advance(4 * MINUTE * 1000 + 50_000);
    expect(it.grants.length).toBe(3);
    it.client.close();
    await it.clock.advance(HOUR * 1000);
    expect(it.grants.length).toBe(3);
    expect(it.clock.waiting).toBeLessThanOrEqual(2); // of this server
  });

  it('goes out with what a subscription has missed, and with history', async () => {
    const it = await granting();
    const { client, server, clock } = it;
    const { data } = listen(client, 'log/a', { grant: it.grant });
    await clock.advance(1000);
    server.onLive = () => 'lost';
    server.publish('log/a', 1);
    server.onLive = () => undefined;
    server.publish('log/a', 2);
    await clock.advance(5000);
    expect(data).toEqual([1, 2]);
    expect(sentGrants(it, 'history')).toEqual(it.grants);
    const pages = [{ grant: 'a.b.c' }, { grant: it.grant }, {}].map((options) =>
      outcomeOf(client.history('log/a', options)),
    );
    await clock.advance(50);
    for (const { value } of pages) expect(value?.messages.length).toBe(2);
    expect(new Set(sentGrants(it, 'history').slice(1))).toEqual(new Set(['a.b.c', it.grants[1], undefined]));
  });

  it('for history that cannot be had rejects it', async () => {
    const { client, clock, server } = await connected();
    const broken = outcomeOf(client.history('log/a', { grant: () => Promise.reject(new Error('no')) }));
    const never = outcomeOf(client.history('log/a', { grant: () => new Promise<string>(() => {}) }));
    await clock.advance(10_000);
    expect([broken.error?.code, never.error?.code]).toEqual(['unavailable', 'timeout']);
    expect(server.commandsOf('history')).toEqual([]);
  });
});

const SECRET = 'eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2ln';
const wrong: unknown[] = ['', 7, null, {}, [SECRET], { grant: SECRET }, Symbol(SECRET)];

describe('what is no grant', () => {
  it.each(wrong)('is refused at once, without its text: %o', async (grant) => {
    const { client } = await connected();
    const options = { grant } as SubscribeOptions & HistoryOptions;
    const errors = [
      () => client.subscribe('live/a', options),
      async () => client.history('live/a', options),
    ].map((run) => outcomeOf((async () => run())()));
    await Promise.resolve();
    await new Promise(setImmediate);
    for (const { error } of errors) {
      expect(error).toMatchObject({ code: 'bad_request', message: expect.stringMatching(/^expected grant/) });
      expect(`${error?.message} ${error?.cause}`).not.toContain(SECRET);
    }
  });

  it.each([...wrong, undefined])('is refused if it is what a function gives: %o', async (grant) => {
    const { client, clock, server } = await connected();
    const { sub } = listen(client, 'live/a', { grant: () => grant as string });
    await clock.advance(50);
    expect(sub.error).toMatchObject({ code: 'bad_request' });
    expect(`${sub.error?.message} ${sub.error?.cause}`).not.toContain(SECRET);
    expect(server.commandsOf('subscribe')).toEqual([]);
  });

  it('is not shown where the options should be, either', async () => {
    const { client } = await connected();
    for (const method of ['subscribe', 'history'] as const) {
      const given = outcomeOf((async () => (client as Client)[method]('live/a', SECRET as never))());
      await new Promise(setImmediate);
      expect(given.error?.code).toBe('bad_request');
      expect(given.error?.message).not.toContain(SECRET);
    }
  });

  it.each(['unavailable', 'forbidden', 'lost'])('is in no error of one that was sent: %s', async (fate) => {
    const { client, clock, server, errors } = await connected();
    server.onCommand = () => (fate === 'lost' ? 'lost' : { error: fate });
    const { sub } = listen(client, 'live/a', { grant: SECRET });
    const page = outcomeOf(client.history('log/a', { grant: SECRET }));
    await clock.advance(40_000);
    client.close();
    for (const error of [sub.error, page.error, ...errors]) {
      expect(JSON.stringify([error?.message, error?.stack, error?.cause])).not.toContain(SECRET);
    }
  });
});
