import { describe, expect, it } from 'vitest';
import { connected, listen, outcomeOf, range, type World } from './harness.ts';

/** Tokens t1, t2, …: one for each connection. */
function numbered(): () => string {
  let tokens = 0;
  return () => `t${++tokens}`;
}

/** What the server sends before it ends a connection. */
const closing = (reconnect: boolean, code = reconnect ? 'expired' : 'revoked') => ({
  type: 'closing',
  code,
  reconnect,
  message: `${code}!`,
});

const statesOf = ({ states }: World): string[] => states.map(({ state }) => state);

describe('a connection that the server is about to close, and says to come back', () => {
  it('is replaced by one with a new token: no state, no report, nothing lost', async () => {
    const world = await connected({ token: numbered() });
    const { client, server, clock, errors } = world;
    const log = listen(client, 'log/a');
    const live = listen(client, 'live/a');
    await clock.advance(1000);
    const [old] = server.sockets;
    for (const n of range(1, 100)) {
      if (n === 50) old?.deliver(closing(true));
      if (n === 60) old?.cut(1001);
      server.publish('log/a', n);
      server.publish('live/a', n);
      await clock.advance(20);
    }
    expect(server.sockets.map(({ protocols }) => protocols[1])).toEqual(['bearer.t1', 'bearer.t2']);
    expect(log.data).toEqual(range(1, 100));
    expect(live.data).toEqual(range(1, 100));
    expect(statesOf(world)).toEqual(['connected']);
    expect([...log.recoveries, ...live.recoveries, ...errors]).toEqual([]);
  });

  it('is missed for no longer than it takes to open the next one, if it ends before that', async () => {
    const world = await connected({ token: numbered() });
    const { client, server, clock, states } = world;
    const { data, recoveries } = listen(client, 'log/a');
    await clock.advance(1000);
    const startedAtMs = clock.now();
    server.socket.deliver(closing(true));
    await clock.advance(10);
    server.sockets[0]?.cut(1001);
    server.publish('log/a', 1);
    while (data.length === 0) await clock.advance(1);
    expect(clock.now() - startedAtMs).toBeLessThan(100);
    expect(statesOf(world)).toEqual(['connected', 'disconnected', 'connecting', 'connected']);
    const reason = { code: 'expired', message: 'expired!', temporary: true };
    expect(states[1]).toMatchObject({ reason, retryInMs: 0 });
    expect(recoveries).toMatchObject([{ recovered: true }]);
    expect(server.sockets.map(({ protocols }) => protocols[1])).toEqual(['bearer.t1', 'bearer.t2']);
  });

  it('may end while the next one is open, but has not all subscriptions yet', async () => {
    const world = await connected();
    const { client, server, clock, errors } = world;
    const log = listen(client, 'log/a');
    await clock.advance(1000);
    const [old] = server.sockets;
    server.onCommand = (_, socket) => (socket === old ? undefined : { replyAfterMs: 3000 });
    old?.deliver(closing(true));
    await clock.advance(1000);
    old?.cut(1001);
    server.publishMany('log/a', 1, 5);
    await clock.advance(10_000);
    server.publishMany('log/a', 6, 10);
    await clock.advance(100);
    expect(log.data).toEqual(range(1, 10));
    expect(server.sockets.length).toBe(2);
    expect(statesOf(world)).toEqual(['connected', 'disconnected', 'connecting', 'connected']);
    expect(errors).toEqual([]);
  });

  it('has its answers waited for, if it stays so long', async () => {
    const { client, server, clock } = await connected();
    await clock.advance(1000);
    server.onCommand = ({ action }) => (action === 'publish' ? { replyAfterMs: 500 } : undefined);
    const published = outcomeOf(client.publish('log/a', 1));
    server.socket.deliver(closing(true));
    await clock.advance(1000);
    expect(published.value).toMatchObject({ offset: 1 });
    expect(server.commandsOf('publish').length).toBe(1);
  });

  it('is replaced at once though a move to another one is being put off', async () => {
    const { server, clock } = await connected({ backoffMsMin: 60_000, backoffMsMax: 60_000 });
    server.socket.isOld = true;
    server.onConnect = () => 'refuse';
    while (server.sockets.length < 2) await clock.advance(1000);
    await clock.advance(2000);
    server.onConnect = () => 'open';
    server.sockets[0]?.deliver(closing(true));
    await clock.advance(100);
    expect(server.sockets.length).toBe(3);
  });

  it('is replaced once in a second at most, however often that is said', async () => {
    const world = await connected();
    const { server, clock } = world;
    for (let n = 0; n < 100; n++) {
      for (const socket of server.openSockets) socket.deliver(closing(true));
      await clock.advance(100);
    }
    expect(server.sockets.length).toBeLessThanOrEqual(11);
    expect(statesOf(world)).toEqual(['connected']);
  });

  it('is the reason of what follows though the next one is refused, too', async () => {
    const world = await connected();
    const { server, clock, states } = world;
    await clock.advance(1000);
    server.onConnect = () => 'refuse';
    server.socket.deliver(closing(true, 'shutdown'));
    await clock.advance(100);
    server.sockets[0]?.cut(1001);
    expect(states[1]).toMatchObject({ state: 'disconnected', reason: { code: 'shutdown' } });
    server.onConnect = () => 'open';
    await clock.advance(30_000);
    expect(statesOf(world).at(-1)).toBe('connected');
  });

  it('is left behind if that comes when another one has taken over', async () => {
    const world = await connected();
    const { server, clock } = world;
    server.socket.isOld = true;
    while (server.sockets.length < 2) await clock.advance(1000);
    await clock.advance(100);
    server.sockets[0]?.deliver(closing(true));
    server.sockets[0]?.deliver(closing(false));
    await clock.advance(10_000);
    expect(server.openSockets).toEqual([server.sockets[1]]);
    expect(statesOf(world)).toEqual(['connected']);
  });

  it('is replaced, too, if that comes while it is about to take over', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    const [first] = server.sockets;
    listen(client, 'log/a');
    await clock.advance(1000);
    server.onCommand = (_, socket) => (socket === first ? undefined : { replyAfterMs: 1000 });
    first?.deliver(closing(true));
    await clock.advance(100);
    server.sockets[1]?.deliver(closing(true));
    await clock.advance(10_000);
    expect(server.openSockets).toEqual([server.sockets[2]]);
    expect(statesOf(world)).toEqual(['connected']);
  });

  it('lets the application close the client for that', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    client.on('state', ({ state }) => {
      if (state === 'disconnected') client.close();
    });
    await clock.advance(1000);
    server.socket.deliver(closing(true));
    await clock.advance(10);
    server.sockets[0]?.cut(1001);
    await clock.advance(10_000);
    expect(statesOf(world)).toEqual(['connected', 'disconnected', 'closed']);
    expect(server.openSockets).toEqual([]);
    expect(clock.waiting).toBe(0);
  });
});

describe('a connection that the server is about to close for good', () => {
  it('is the last one: all that waits is rejected with the reason', async () => {
    const world = await connected({ token: numbered() });
    const { client, server, clock, states, errors } = world;
    const { sub } = listen(client, 'log/a');
    await clock.advance(50);
    server.onCommand = () => 'lost';
    const published = outcomeOf(client.publish('log/a', 1));
    server.socket.deliver(closing(false));
    await clock.advance(100_000);
    const reason = { code: 'revoked', message: 'revoked!', temporary: false };
    expect(states.at(-1)).toMatchObject({ state: 'closed', reason });
    expect(errors).toMatchObject([reason]);
    for (const error of [published.error, sub.error, client.reason]) expect(error).toMatchObject(reason);
    expect(server.sockets.length).toBe(1);
    expect(server.openSockets).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  it.each(['limit', 'of tomorrow', 'constructor'])('says why, in whatever word: %s', async (code) => {
    const { client, server, clock } = await connected();
    server.socket.deliver(closing(false, code));
    await clock.advance(50);
    expect(client.reason?.code).toBe(code);
  });
});

it.each([
  { ...closing(false), code: 'closed' },
  { ...closing(false), code: 'disconnected' },
  { ...closing(false), code: 7 },
  { ...closing(false), reconnect: undefined },
  { ...closing(false), reconnect: 'false' },
  { ...closing(false), message: undefined },
])('what only looks like it closes nothing: %j', async (frame) => {
  const world = await connected();
  world.server.socket.deliver(frame);
  await world.clock.advance(50);
  expect(world.errors.map(({ code }) => code)).toEqual(['bad_frame']);
  expect(statesOf(world)).toEqual(['connected']);
});
