import { describe, expect, it, vi } from 'vitest';
import { backoffMs } from '../../../shared/client/backoff.ts';
import { type ClientOptions, connect, type WebSocketLike } from '../../../shared/client/index.ts';
import { Clock } from './clock.ts';
import { connected, listen, outcomeOf, range, world } from './harness.ts';

const A_TOKEN = 'a string that may be a subprotocol';

class Refusing {
  constructor() {
    throw new SyntaxError('Invalid URL: wss://fanwire.test/prod?token=secret');
  }
}

describe('the backoff', () => {
  it('is anything from the least wait to a bound that doubles up to the most', () => {
    const bounds = (failures: number) =>
      [0, 1].map((chance) =>
        backoffMs(failures, { random: () => chance, backoffMsMin: 500, backoffMsMax: 20_000 }),
      );
    expect([0, 1, 2, 5, 2000].map(bounds)).toEqual([
      [500, 1000],
      [500, 2000],
      [500, 4000],
      [500, 20_000],
      [500, 20_000],
    ]);
  });
});

describe('the state', () => {
  it('goes from connecting to connected, and round again after a drop', async () => {
    const { client, server, clock, states } = world();
    expect(client.state).toBe('connecting');
    await clock.advance(50);
    server.socket.cut(1001);
    expect(client.state).toBe('disconnected');
    expect(client.reason).toMatchObject({ code: 'disconnected', temporary: true });
    await clock.advance(2000);
    expect(states.map(({ state, reason, retryInMs }) => [state, reason?.code, retryInMs])).toEqual([
      ['connected', undefined, undefined],
      ['disconnected', 'disconnected', 950],
      ['connecting', undefined, undefined],
      ['connected', undefined, undefined],
    ]);
    expect(client.reason).toBeUndefined();
  });

  it('waits longer with every failure, until a connection has proven itself', async () => {
    const { client, server, clock, states } = world();
    const waits = () => states.map(({ retryInMs }) => retryInMs).filter((ms) => ms !== undefined);
    for (let n = 0; n < 3; n++) {
      await clock.advance(20_000);
      server.socket.cut();
    }
    expect(waits()).toEqual([750, 1250, 2250]);
    await clock.advance(20_000);
    client.whoami();
    await clock.advance(50);
    server.socket.cut();
    expect(waits()).toEqual([750, 1250, 2250, 750]);
  });

  it('waits longer all the same after acks that answer nothing: anybody may post them', async () => {
    const { server, clock, states } = await connected();
    const waits = () => states.map(({ retryInMs }) => retryInMs).filter((ms) => ms !== undefined);
    for (let n = 0; n < 3; n++) {
      server.socket.deliver({ type: 'ack', id: '99', action: 'ping', rollover: true });
      server.socket.deliver({ type: 'ack', action: 'unsubscribe', topic: 'log/a' });
      await clock.advance(5000);
      server.socket.cut();
      await clock.advance(20_000);
    }
    expect(waits()).toEqual([750, 1250, 2250]);
    expect(server.sockets.length).toBe(4);
  });

  it('is left by a connection that the server has given up, for a new one', async () => {
    const { client, server, clock, states, errors } = await connected();
    const { data, recoveries } = listen(client, 'log/a');
    await clock.advance(50);
    server.onCommand = (_, socket) => (socket === server.sockets[0] ? { error: 'gone' } : undefined);
    const asked = outcomeOf(client.whoami());
    server.publish('log/a', 1);
    server.socket.topics.clear();
    server.publish('log/a', 2);
    await clock.advance(2000);
    expect(asked.error).toMatchObject({ code: 'disconnected', temporary: true });
    expect(states[1]).toMatchObject({ state: 'disconnected', reason: { code: 'gone' } });
    expect(client.state).toBe('connected');
    expect(data).toEqual([1, 2]);
    expect(recoveries).toMatchObject([{ recovered: true }]);
    expect(errors).toEqual([]);
  });

  it('gives up a connect that takes too long', async () => {
    const { clock, server, states } = world({}, (it) => {
      it.onConnect = () => 'hang';
    });
    await clock.advance(9_999);
    expect(states).toEqual([]);
    await clock.advance(1);
    expect(states[0]).toMatchObject({ state: 'disconnected', reason: { code: 'timeout' } });
    expect(server.sockets.length).toBe(1);
  });

  it('gives up a callback that takes too long, and ignores what it says later', async () => {
    let answer = (_: string) => {};
    const { clock, server, states } = world({
      url: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    await clock.advance(10_000);
    expect(states[0]).toMatchObject({ state: 'disconnected', reason: { code: 'timeout' } });
    answer('wss://late');
    await clock.advance(1);
    expect(server.sockets).toEqual([]);
  });

  it('is left for good by close', async () => {
    const { client, server, clock, network, states } = await connected();
    const pending = outcomeOf(client.whoami());
    client.close();
    client.close();
    network.say('online');
    await clock.advance(60_000);
    expect(states.map(({ state }) => state)).toEqual(['connected', 'closed']);
    expect(pending.error?.code).toBe('closed');
    expect(outcomeOf(client.publish('a', 1))).toBeDefined();
    await expect(client.publish('a', 1)).rejects.toMatchObject({ code: 'closed', temporary: false });
    await expect(client.whoami()).rejects.toMatchObject({ code: 'closed' });
    expect(server.openSockets).toEqual([]);
    expect(clock.waiting).toBe(0);
    expect(network.listeners).toBe(0);
  });

  it.each(['connected', 'disconnected', 'connecting'])(
    'may be left by a close when it becomes %s',
    async (when) => {
      const { client, clock, server } = world();
      client.on('state', ({ state }) => state === when && client.close());
      await clock.advance(50);
      server.socket.cut();
      await clock.advance(60_000);
      expect(client.state).toBe('closed');
      expect(server.openSockets).toEqual([]);
      expect(clock.waiting).toBe(0);
    },
  );
});

describe('the network', () => {
  it('is no reason to drop a connection that works: it is checked at once, and stays', async () => {
    const { server, clock, network, states } = await connected();
    network.say('offline');
    await clock.advance(30);
    expect(server.commandsOf('ping').length).toBe(1);
    await clock.advance(20_000);
    network.say('online');
    await clock.advance(20_000);
    expect(server.commandsOf('ping').length).toBe(2);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
  });

  it('has a connection given up soon that it has taken along', async () => {
    const { client, server, clock, network, states } = await connected();
    server.socket.isFrozen = true;
    network.say('offline');
    await clock.advance(10_000);
    expect(states[1]).toMatchObject({ state: 'disconnected', reason: { code: 'timeout' } });
    await clock.advance(1000);
    expect(client.state).toBe('connected');
  });

  it('is tried all the same while it is said to be away', async () => {
    const { client, server, clock, network } = await connected();
    server.onConnect = () => 'refuse';
    network.say('offline');
    server.socket.cut();
    await clock.advance(300_000);
    expect(server.sockets.length).toBeGreaterThan(10);
    server.onConnect = () => 'open';
    await clock.advance(21_000);
    expect(client.state).toBe('connected');
  });

  it('ends a wait when it comes back, but does not make it more than one try a second', async () => {
    const { client, clock, network, server } = world({}, (it) => {
      it.onConnect = (_, attempt) => (attempt < 6 ? 'refuse' : 'open');
    });
    for (let n = 1; n <= 5; n++) {
      await clock.advance(20);
      expect([client.state, server.sockets.length]).toEqual(['disconnected', n]);
      for (let again = 0; again < 10; again++) network.say('online');
      await clock.advance(979);
      expect(server.sockets.length).toBe(n);
      await clock.advance(1);
    }
    await clock.advance(20);
    expect(client.state).toBe('connected');
    await clock.advance(30_000);
    expect(server.sockets.length).toBe(6);
  });

  it('makes one ping of many hints, until that has its answer', async () => {
    const { server, clock, network } = await connected();
    for (let n = 0; n < 100; n++) network.say(n % 2 === 0 ? 'offline' : 'online');
    await clock.advance(10);
    for (let n = 0; n < 100; n++) network.say(n % 2 === 0 ? 'offline' : 'online');
    await clock.advance(1000);
    expect(server.commandsOf('ping').length).toBe(1);
  });

  it('leaves a socket behind whose last words nobody hears', async () => {
    const { client, server, clock, direct } = await connected();
    const { onmessage } = server.socket;
    client.close();
    onmessage?.({
      data: '{"type":"message","messageId":"m","publishedAt":"2026-01-01T00:00:00Z","publisher":{},"data":"late"}',
    });
    await clock.advance(50);
    expect(direct).toEqual([]);
  });
});

describe('the reason', () => {
  const sockets = (fail: (socket: WebSocketLike) => void) =>
    class implements WebSocketLike {
      onopen: WebSocketLike['onopen'] = null;
      onmessage: WebSocketLike['onmessage'] = null;
      onclose: WebSocketLike['onclose'] = null;
      onerror: WebSocketLike['onerror'] = null;
      constructor() {
        queueMicrotask(() => fail(this));
      }
      send(): void {}
      close(): void {}
    };

  it('of a refused handshake is what the platform says, and what it may mean', async () => {
    const { clock, states } = world({
      WebSocket: sockets((socket) => {
        socket.onerror?.({ message: 'Unexpected server response: 403 of /prod?token=secret' });
        socket.onclose?.({ code: 1006, reason: '' });
      }),
    });
    await clock.advance(1);
    expect(states[0]?.reason).toMatchObject({
      code: 'disconnected',
      temporary: true,
      message: expect.stringMatching(
        /^expected a connection, got a close with 1006, because of: Unexpected server response: 403 of \/prod\?…; there may be no network/,
      ),
    });
  });

  it('of a handshake that fails without a close event, as on Node 22, comes soon, too', async () => {
    const { clock, states } = world({
      WebSocket: sockets((socket) => socket.onerror?.({ message: 'non-101 status code' })),
    });
    await clock.advance(1000);
    expect(states[0]?.reason).toMatchObject({
      code: 'disconnected',
      message: expect.stringMatching(
        /^expected a connection, got an error, because of: non-101 status code;/,
      ),
    });
    await clock.advance(1000);
    expect(states.at(-1)?.state).toBe('connecting');
  });

  it('of a close is what the server gave', async () => {
    const { clock, states } = world({
      WebSocket: sockets((socket) => {
        socket.onopen?.({});
        socket.onclose?.({ code: 1001, reason: 'Going away' });
      }),
    });
    await clock.advance(1);
    expect(states[1]?.reason?.message).toBe(
      'expected no end of the connection, got a close with 1001, because of: Going away',
    );
  });

  it('is given for a platform without a WebSocket', () => {
    const own = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    Reflect.deleteProperty(globalThis, 'WebSocket');
    try {
      expect(() => connect({ url: 'wss://fanwire.test/prod' })).toThrow(
        'expected a platform with WebSocket, or the option WebSocket, as of the package ws, got nothing',
      );
    } finally {
      if (own) Object.defineProperty(globalThis, 'WebSocket', own);
    }
  });

  it.each<[string, Partial<ClientOptions>, string]>([
    ['the platform', { WebSocket: Refusing as never }, 'expected WebSocket to take the URL, got SyntaxError'],
    [
      'what makes no socket',
      { WebSocket: Object as never },
      'expected WebSocket to give one, got something else',
    ],
    [
      'a callback',
      { url: () => 'https://x?token=secret' },
      'expected url to give the URL of a WebSocket, wss://… or ws://… without a #, got a string',
    ],
    ['no token', { token: () => 7 as never }, `expected token to give ${A_TOKEN}, got a number`],
    ...['', 'secret secret', 'a,b', 'a/b', 'YQ==', '"a"', 'a\n', 'ü', '\ud800'].map(
      (token): [string, Partial<ClientOptions>, string] => [
        `the token ${JSON.stringify(token)}`,
        { token: () => token },
        `expected token to give ${A_TOKEN}, got a string`,
      ],
    ),
  ])(
    'of a client that can never connect comes after the handlers: refused by %s',
    async (_, options, message) => {
      const { client, clock, states, errors } = world(options);
      expect(client.state).toBe('connecting');
      await clock.advance(10);
      expect(states).toMatchObject([{ state: 'closed', reason: { code: 'bad_request' } }]);
      expect(errors).toEqual([client.reason]);
      expect(client.reason?.message).toContain(message);
      expect(client.reason?.cause).toBeUndefined();
    },
  );

  it('is on the console if nobody listens', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const clock = new Clock();
    const client = connect({
      url: () => 'nonsense',
      WebSocket: Refusing as never,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
    });
    await clock.advance(1);
    expect(said.mock.calls).toEqual([[client.reason]]);
    said.mockRestore();
  });
});

describe('a token', () => {
  it('poses as a subprotocol, and is no part of the URL, which proxies and servers write down', async () => {
    const { server } = await connected({ token: () => "aZ09!#$%&'*+-.^_`|~" });
    expect(server.socket.url).toBe('wss://fanwire.test/prod');
    expect(server.socket.protocols).toEqual(['fanwire', "bearer.aZ09!#$%&'*+-.^_`|~"]);
  });

  it('that there is none of makes no subprotocols', async () => {
    const { server } = await connected();
    expect(server.socket.protocols).toEqual([]);
  });

  it('that the server could not take is not sent on the live connection either', async () => {
    const tokens = ['t', 'a b'];
    const { client, clock, server } = await connected({ token: () => tokens.shift() as string });
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    expect(refreshed.error).toMatchObject({
      code: 'bad_request',
      message: expect.not.stringContaining('a b'),
    });
    expect(server.commandsOf('authenticate')).toEqual([]);
  });

  it('that cannot be had for now is no other error for the live connection than for the next one', async () => {
    let tokens = 0;
    const token = () => {
      if (++tokens > 1) throw new TypeError('fetch failed');
      return 't';
    };
    const { client, clock, states } = await connected({ token });
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    expect(refreshed.error).toMatchObject({ code: 'unavailable', temporary: true });
    expect(states.length).toBe(1);
  });
});

describe('the heartbeat', () => {
  it('pings when nothing has come for a period, and only then', async () => {
    const { client, server, clock } = await connected();
    listen(client, 'live/a');
    await clock.advance(29_000);
    server.publish('live/a', 1);
    await clock.advance(29_000);
    expect(server.commandsOf('ping')).toEqual([]);
    await clock.advance(3000);
    expect(server.commandsOf('ping')).toMatchObject([{ action: 'ping' }]);
    await clock.advance(30_000);
    expect(server.commandsOf('ping').length).toBe(2);
  });

  it('pings now and then in any traffic, because only a pong tells of a rollover', async () => {
    const { client, server, clock } = await connected();
    listen(client, 'live/a');
    for (let n = 0; n < 61; n++) {
      server.publish('live/a', n);
      await clock.advance(10_000);
    }
    expect(server.commandsOf('ping').length).toBe(2);
  });

  it('has the positions of quiet topics checked, whatever else comes', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, 'log/a');
    listen(client, 'log/b');
    listen(client, 'live/a');
    await clock.advance(50);
    server.onLive = ({ topic }) => (topic === 'log/a' ? 'lost' : undefined);
    server.publish('log/a', 1);
    for (let n = 0; n < 40; n++) {
      server.publish('log/b', n);
      server.publish('live/a', n);
      await clock.advance(1000);
    }
    expect(server.commandsOf('ping')).toMatchObject([{ positions: [{ topic: 'log/a', offset: 0 }] }]);
    expect(server.commandsOf('history').length).toBe(1);
    expect(data).toEqual([1]);
  });

  it.each(range(0, 30))(
    'heals within a period what is lost after %d s, just after something came',
    async (s) => {
      const { client, server, clock } = await connected();
      const { data } = listen(client, 'log/a');
      await clock.advance(50 + s * 1000);
      server.publish('log/a', 1);
      await clock.advance(10);
      server.onLive = () => 'lost';
      server.publish('log/a', 2);
      await clock.advance(30_000);
      expect(data).toEqual([1, 2]);
    },
  );

  it('finds out that the server has given up the connection, and takes another', async () => {
    const { client, server, clock, states } = await connected();
    const { sub } = listen(client, 'live/a');
    await clock.advance(50);
    server.onCommand = (_, socket) => (socket === server.sockets[0] ? { error: 'gone' } : undefined);
    await clock.advance(32_000);
    expect(states[1]).toMatchObject({ state: 'disconnected', reason: { code: 'gone', temporary: true } });
    expect([server.openSockets, sub.state]).toEqual([[server.sockets[1]], 'subscribed']);
  });

  it('gives a message that a ping told of the time to arrive', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, 'log/a');
    await clock.advance(50);
    server.onLive = () => ({ afterMs: 800 });
    await clock.advance(29_800);
    server.publish('log/a', 1);
    await clock.advance(5000);
    expect(server.commandsOf('ping').length).toBe(1);
    expect(data).toEqual([1]);
    expect(server.commandsOf('history')).toEqual([]);
  });

  it('checks a hundred positions with a ping', async () => {
    const { client, server, clock } = await connected();
    for (const n of range(1, 230)) listen(client, `log/${n}`);
    await clock.advance(35_000);
    expect(server.commandsOf('ping').map(({ positions }) => positions.length)).toEqual([100, 100, 30]);
  });

  it.each([true, false])(
    'checks the lowest position of a topic (the slow one first: %s)',
    async (isFirst) => {
      const { client, server, clock } = await connected({ bufferMax: 2 });
      if (isFirst) client.subscribe('log/a');
      listen(client, 'log/a');
      if (!isFirst) client.subscribe('log/a');
      await clock.advance(50);
      for (const n of range(1, 5)) {
        server.publish('log/a', n);
        await clock.advance(50);
      }
      await clock.advance(31_000);
      expect(server.commandsOf('ping')).toMatchObject([{ positions: [{ topic: 'log/a', offset: 2 }] }]);
    },
  );

  it('pings about once in a period for a quiet topic', async () => {
    const { client, server, clock } = await connected();
    listen(client, 'log/a');
    await clock.advance(10 * 30_000);
    expect(server.commandsOf('ping').length).toBeGreaterThan(8);
    expect(server.commandsOf('ping').length).toBeLessThan(12);
  });

  it('is not put off by a clock that is put back', async () => {
    let backMs = 0;
    const clock = new Clock();
    const { states, server } = await connected({ now: () => clock.now() - backMs }, () => {}, clock);
    backMs = 3_600_000;
    server.socket.isFrozen = true;
    await clock.advance(60_000);
    expect(states[1]).toMatchObject({ state: 'disconnected', reason: { code: 'timeout' } });
  });

  it('says nothing of a ping that got no answer because the connection ended', async () => {
    const { server, clock, errors } = await connected();
    server.onCommand = () => 'lost';
    await clock.advance(30_050);
    expect(server.commandsOf('ping').length).toBe(1);
    server.socket.cut();
    expect(errors).toEqual([]);
  });

  it('reports a ping that is refused, once', async () => {
    const { server, clock, errors } = await connected();
    server.onCommand = () => ({ error: 'limit_exceeded' });
    await clock.advance(35_000);
    expect(errors.map(({ code }) => code)).toEqual(['limit_exceeded']);
  });
});

describe('commands', () => {
  it('wait for a connection, but not for ever', async () => {
    const { client, clock, server } = world({}, (it) => {
      it.onConnect = (_, attempt) => (attempt < 3 ? 'refuse' : 'open');
    });
    const identity = client.whoami();
    await clock.advance(10_000);
    expect(await identity).toEqual({ connectionId: server.socket.connectionId, endpoint: 'https://x/prod' });
    server.onConnect = () => 'refuse';
    server.socket.cut();
    const late = outcomeOf(client.send({ userId: 'a' }, 1));
    await clock.advance(30_000);
    expect(late.error).toMatchObject({ code: 'disconnected', temporary: true });
  });

  it('are rejected if the connection ends before their answer: a send must not be sent twice', async () => {
    const { client, clock, server } = await connected();
    server.onCommand = () => 'reply lost';
    const sent = outcomeOf(client.send({ connectionId: 'x' }, 'hi', { maxAge: 5 }));
    await clock.advance(50);
    server.socket.cut();
    await clock.advance(60_000);
    expect(sent.error?.code).toBe('disconnected');
    expect(server.commandsOf('send')).toEqual([
      { id: '1', action: 'send', to: { connectionId: 'x' }, data: 'hi', maxAge: 5 },
    ]);
  });

  it('are rejected with the error of the server, or when no answer comes', async () => {
    const { client, clock, server, errors } = await connected();
    server.onCommand = ({ action }) => (action === 'send' ? 'gateway error' : undefined);
    const volatile = outcomeOf(client.history('live/a'));
    const unanswered = outcomeOf(client.send({ userId: 'a' }, 1));
    await clock.advance(29_000);
    expect(volatile.error).toMatchObject({ code: 'bad_request', temporary: false });
    expect(unanswered).toEqual({});
    expect(errors).toMatchObject([{ code: 'internal', message: 'Internal server error' }]);
    await clock.advance(2000);
    expect(unanswered.error).toMatchObject({ code: 'timeout', temporary: true });
  });

  it('are at most 16 at a time, and pings do not wait behind them', async () => {
    const { client, clock, server, states } = await connected({ commandTimeoutMs: 100_000 });
    server.onCommand = ({ action }) => (action === 'subscribe' ? { replyAfterMs: 35_000 } : undefined);
    for (const n of range(1, 60)) listen(client, `live/${n}`);
    await clock.advance(34_000);
    expect(server.commandsOf('subscribe').length).toBe(16);
    expect(server.commandsOf('ping').length).toBe(1);
    await clock.advance(1100);
    expect(server.commandsOf('subscribe').length).toBe(32);
    await clock.advance(105_000);
    expect(server.commandsOf('subscribe').length).toBe(60);
    expect(states.length).toBe(1);
  });

  it('are at most so many without an answer', async () => {
    const { client, clock } = world({ queueMax: 2 });
    const all = [1, 2, 3].map(() => outcomeOf(client.whoami()));
    await clock.advance(1);
    expect(all.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'queue_full']);
    await clock.advance(50);
    expect(all.map(({ value }) => value?.connectionId)).toEqual(['c1', 'c1', undefined]);
    await expect(Promise.race([client.whoami(), clock.advance(50)])).resolves.toBeDefined();
  });

  it('must fit into a frame of less than 32 KB', async () => {
    const { client, clock, states } = await connected();
    const around = '{"id":"1","action":"send","to":{"userId":"a"},"data":""}'.length;
    const fits = outcomeOf(client.send({ userId: 'a' }, 'x'.repeat(32 * 1024 - 1 - around)));
    const isOver = outcomeOf(client.send({ userId: 'a' }, 'x'.repeat(32 * 1024 - around)));
    await clock.advance(50);
    expect(fits.value).toBeDefined();
    expect(isOver.error).toMatchObject({ code: 'too_large', temporary: false });
    expect(states.length).toBe(1);
  });

  it('are tried again for a subscription, ever less often, as long as the error is temporary', async () => {
    const { client, clock, server } = await connected();
    const triedAt: number[] = [];
    server.onCommand = () => (triedAt.push(clock.now()) < 5 ? { error: 'internal' } : undefined);
    const { sub } = listen(client, 'log/a');
    await clock.advance(20_000);
    const waits = triedAt.slice(1).map((at, index) => at - (triedAt[index] ?? 0) - 20);
    expect(waits).toEqual([750, 1_250, 2_250, 4_250]);
    expect(sub.state).toBe('subscribed');
  });

  it('give a fresh token to a live connection, which a server without that route refuses', async () => {
    let tokens = 0;
    const { client, clock, server } = await connected({ token: () => `t${++tokens}` });
    const refreshed = outcomeOf(client.refresh());
    await clock.advance(50);
    expect(server.commandsOf('authenticate')).toMatchObject([{ token: 't2' }]);
    expect(refreshed.error?.code).toBe('unknown_action');
  });

  it.each([
    { action: 'subscribe', topic: 'a', rewind: 0 },
    { action: 'publish', topic: 'a', data: 1, id: 7 },
    { action: 'whoami', typo: 1 },
    { action: 'publish', topic: 'a', data: 'x'.repeat(33_000) },
  ])('that the server would refuse fail the test of whoever sends them: case %#', async (frame) => {
    const { clock, server } = await connected();
    server.socket.send(JSON.stringify(frame));
    await expect(clock.advance(50)).rejects.toThrow(/^expected /);
  });
});

describe('frames that are none', () => {
  it('are reported, and do no harm', async () => {
    const { client, clock, server, errors, states } = await connected();
    const { data } = listen(client, 'log/a');
    await clock.advance(50);
    for (const text of [
      'hello',
      '[1]',
      'null',
      '{"type":"messages"}',
      '{"type":"error","id":"99","code":"internal","message":"of a command that has timed out"}',
    ]) {
      server.socket.deliverText(text);
    }
    for (const text of ['{"type":"presence"}', '{"type":"ack","id":"99","action":"ping"}'])
      server.socket.deliverText(text);
    server.publish('log/a', 1);
    await clock.advance(50);
    expect(errors.map(({ code }) => code)).toEqual([
      'bad_frame',
      'bad_frame',
      'bad_frame',
      'bad_frame',
      'internal',
    ]);
    expect(data).toEqual([1]);
    expect(states.length).toBe(1);
  });
});
