import { describe, expect, it } from 'vitest';
import { FanwireError } from '../../../shared/client/index.ts';
import { connected, listen, outcomeOf, range, type World } from './harness.ts';

const LOG = 'log/a';
const LIVE = 'live/a';

/** Until the first ping has told of the rollover. */
async function told({ server, clock }: World): Promise<void> {
  server.socket.isOld = true;
  const sockets = server.sockets.length;
  for (let ms = 0; ms < 30_000 && server.sockets.length === sockets; ms += 10) await clock.advance(10);
  await clock.advance(50);
}

describe('before a connection reaches its two hours', () => {
  it('moves to another one without the application noticing: no state, no report, nothing lost, nothing twice', async () => {
    const world = await connected({ gapMs: 60_000, heartbeatMs: 1000, pongTimeoutMs: 500 });
    const { client, server, clock, states, direct } = world;
    const log = listen(client, LOG);
    const live = listen(client, LIVE);
    const wild = listen(client, 'live/*');
    server.socket.isOld = true;
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    const connections: number[] = [];
    // Without a break, so that it is only the ping that comes in any case that can tell of it.
    for (const n of range(1, 2000)) {
      server.publish(LOG, n);
      if (n % 5 === 0) server.publish(LIVE, n);
      if (n % 50 === 0) server.sendDirect(n);
      await clock.advance(10);
      const open = server.openSockets.length;
      if (connections.at(-1) !== open) connections.push(open);
    }
    await clock.advance(50);
    expect(connections).toEqual([1, 2, 1]);
    expect(server.openSockets).toEqual([server.sockets[1]]);
    expect(server.commandsOf('subscribe').slice(3)).toMatchObject([
      { topic: LOG, position: { epoch } },
      { topic: LIVE },
      { topic: 'live/*' },
    ]);
    expect(log.data).toEqual(range(1, 2000));
    expect(live.data).toEqual(range(1, 400).map((n) => 5 * n));
    expect(wild.data).toEqual(live.data);
    expect(direct).toEqual(range(1, 40).map((n) => 50 * n));
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    for (const { recoveries, sub } of [log, live, wild]) {
      expect(recoveries).toEqual([]);
      expect(sub.state).toBe('subscribed');
    }
  });

  it('merges what comes on both connections', async () => {
    const world = await connected();
    const { client, server, clock, direct } = world;
    const log = listen(client, LOG);
    const live = listen(client, LIVE);
    await clock.advance(50);
    await told(world);
    expect(server.openSockets.length).toBe(2);
    await clock.advance(50);
    server.onLive = (_, socket) => (socket === server.sockets[0] ? { afterMs: 100 } : undefined);
    server.publishMany(LOG, 1, 3);
    server.publishMany(LIVE, 1, 3);
    server.sendDirect('hi');
    await clock.advance(500);
    expect(log.data).toEqual([1, 2, 3]);
    expect(live.data).toEqual([1, 2, 3]);
    expect(direct).toEqual(['hi']);
  });

  it('goes over only when everything is subscribed there', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    const log = listen(client, LOG);
    listen(client, LIVE);
    await clock.advance(50);
    server.onCommand = ({ topic }, socket) =>
      socket === server.sockets[1] && topic === LIVE ? { error: 'unavailable' } : undefined;
    await told(world);
    await clock.advance(20_000);
    client.publish(LOG, 1);
    await clock.advance(50);
    expect(server.commands.at(-1)).toMatchObject({ socket: server.sockets[0], frame: { action: 'publish' } });
    server.onCommand = () => undefined;
    await clock.advance(20_000);
    client.publish(LOG, 2);
    await clock.advance(50);
    expect(server.commands.at(-1)).toMatchObject({ socket: server.sockets[1], frame: { action: 'publish' } });
    expect(log.data).toEqual([1, 2]);
  });

  it('takes along what is subscribed, and leaves what is unsubscribed, in the meantime', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    const gone = listen(client, 'log/gone');
    await clock.advance(50);
    server.onCommand = (_, socket) => (socket === server.sockets[1] ? { replyAfterMs: 2000 } : undefined);
    await told(world);
    const come = listen(client, LOG, { rewind: 5 });
    gone.sub.unsubscribe();
    await clock.advance(100);
    server.publish(LOG, 1);
    await clock.advance(100);
    expect(come.data).toEqual([1]);
    await clock.advance(60_000);
    expect(server.openSockets).toEqual([server.sockets[1]]);
    expect([...server.socket.topics]).toEqual([LOG]);
    server.publish(LOG, 2);
    await clock.advance(100);
    expect(come.data).toEqual([1, 2]);
  });

  it('lets the old one answer what is on its way, but not for ever', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    server.socket.isOld = true;
    await clock.advance(28_000);
    server.onCommand = ({ action }) =>
      action === 'publish' ? { runAfterMs: 8000 } : action === 'whoami' ? 'lost' : undefined;
    const stored = outcomeOf(client.publish(LOG, 1, { stored: true }));
    const never = outcomeOf(client.whoami());
    await clock.advance(2100);
    client.publish(LOG, 2);
    await clock.advance(10_000);
    expect(stored.value).toMatchObject({ offset: 1 });
    expect(server.commandsOf('publish').length).toBe(2);
    expect(server.commands.at(-1)?.socket).toBe(server.sockets[1]);
    expect(server.openSockets.length).toBe(2);
    await clock.advance(25_000);
    expect(never.error?.code).toBe('timeout');
    expect(server.openSockets).toEqual([server.sockets[1]]);
  });

  it('takes the answer of the new one for a gap, and asks no further', async () => {
    const world = await connected({ gapMs: 200 });
    const { client, server, clock } = world;
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.onCommand = (frame, socket) => {
      if (socket === server.sockets[1]) return { runAfterMs: 2000 };
      if (frame.action !== 'history') return undefined;
      clock.setTimeout(
        () => socket.deliver({ type: 'error', id: frame.id, code: 'unavailable', message: '' }),
        3000,
      );
      return 'lost';
    };
    await told(world);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 2);
    await clock.advance(1500);
    expect(data).toEqual([]);
    expect(server.commandsOf('history').length).toBe(1);
    await clock.advance(10_000);
    expect(data).toEqual([1, 2]);
    expect(server.commandsOf('history').length).toBe(1);
    expect(recoveries).toEqual([]);
  });

  it('does not wait for ever for the old one, however much it has to answer', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    server.onCommand = ({ action }) => (action === 'whoami' ? 'lost' : undefined);
    await clock.advance(29_000);
    const all = range(1, 50).map(() => outcomeOf(client.whoami()));
    server.socket.isOld = true;
    await clock.advance(1100);
    expect(server.openSockets.length).toBe(2);
    await clock.advance(36_000);
    expect(server.openSockets).toEqual([server.sockets[1]]);
    expect(all.at(-1)?.error?.code).toBe('disconnected');
  });

  it('pings only the one that it uses, and hears only its pongs', async () => {
    const world = await connected({ heartbeatMs: 1000, pongTimeoutMs: 500 });
    const { client, server, clock } = world;
    for (const n of range(1, 150)) listen(client, `log/${n}`);
    await clock.advance(800);
    server.socket.isOld = true;
    let pings = 0;
    server.onCommand = ({ action }) =>
      action === 'ping' && ++pings === 2 ? { replyAfterMs: 2000 } : undefined;
    await clock.advance(500);
    expect(server.sockets.length).toBe(2);
    const before = server.commands.filter(({ socket }) => socket === server.sockets[0]).length;
    await clock.advance(4500);
    expect(server.commands.filter(({ socket }) => socket === server.sockets[0]).length).toBe(before);
    expect(server.sockets.length).toBe(2);
  });

  it('leaves alone what was still to be subscribed on the old one', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    server.onCommand = (_, socket) => (socket === server.sockets[1] ? { replyAfterMs: 500 } : undefined);
    listen(client, LOG);
    await clock.advance(50);
    await told(world);
    server.onCommand = ({ topic }, socket) => {
      if (socket !== server.sockets[0]) return { replyAfterMs: 500 };
      return topic === LIVE ? { error: 'unavailable' } : { replyAfterMs: 4000 };
    };
    const live = listen(client, LIVE);
    const log = listen(client, 'log/b');
    await clock.advance(700);
    expect([live.sub.state, log.sub.state]).toEqual(['subscribed', 'subscribed']);
    client.publish(LOG, 1);
    await clock.advance(50);
    expect(server.commands.at(-1)?.socket).toBe(server.sockets[1]);
    server.onConnect = () => 'hang';
    server.sockets[1]?.cut();
    await clock.advance(4000);
    const tried = server.commands.filter(
      ({ socket, frame }) => socket === server.sockets[0] && frame.topic === LIVE,
    );
    expect(tried.length).toBe(1);
    expect([live.sub.state, log.sub.state]).toEqual(['subscribing', 'subscribing']);
  });

  it('tries a replacement again that opens and then says nothing', async () => {
    const world = await connected();
    const { client, server, clock, states } = world;
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onCommand = (_, socket) => (socket === server.sockets[1] ? 'lost' : undefined);
    await told(world);
    await clock.advance(75_000);
    expect(server.sockets.length).toBe(3);
    expect(server.openSockets).toEqual([server.sockets[2]]);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(data).toEqual([1]);
    expect(states.length).toBe(1);
  });

  it('keeps the old one and tries again if the new one fails', async () => {
    const world = await connected();
    const { client, server, clock, states } = world;
    const { data } = listen(client, LOG);
    server.onConnect = (_, attempt) => (attempt < 5 ? (attempt === 3 ? 'hang' : 'refuse') : 'open');
    await told(world);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(server.openSockets).toEqual([server.sockets[0]]);
    await clock.advance(30_000);
    expect(server.sockets.length).toBe(5);
    expect(server.openSockets).toEqual([server.sockets[4]]);
    server.publish(LOG, 2);
    await clock.advance(50);
    expect(data).toEqual([1, 2]);
    expect(states.length).toBe(1);
  });

  it('reconnects as ever if the old one ends in the middle of it', async () => {
    const world = await connected();
    const { client, server, clock, states } = world;
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.onConnect = (_, attempt) => (attempt === 2 ? 'hang' : 'open');
    await told(world);
    server.sockets[0]?.cut();
    server.publish(LOG, 1);
    await clock.advance(5000);
    expect(states.map(({ state }) => state)).toEqual([
      'connected',
      'disconnected',
      'connecting',
      'connected',
    ]);
    expect(server.sockets.length).toBe(3);
    expect(server.openSockets).toEqual([server.sockets[2]]);
    expect(data).toEqual([1]);
    expect(recoveries).toMatchObject([{ recovered: true }]);
    await clock.advance(60_000);
    expect(server.sockets.length).toBe(3);
  });

  it('is ready for the next one if the old one ended between two tries', async () => {
    const world = await connected();
    const { server, clock } = world;
    server.onConnect = (_, attempt) => (attempt === 2 ? 'refuse' : 'open');
    await told(world);
    server.sockets[0]?.cut();
    await clock.advance(2000);
    expect(server.sockets.length).toBe(3);
    await told(world);
    expect(server.sockets.length).toBe(4);
  });

  it('moves once, however often it is told', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    for (const n of range(1, 250)) listen(client, `log/${n}`);
    await clock.advance(2000);
    server.onConnect = () => 'hang';
    await told(world); // three pings at a time, each of them answered with it
    expect(server.sockets.length).toBe(2);
    server.onConnect = () => 'open';
    await clock.advance(60_000);
    expect(server.sockets.length).toBe(3);
    await clock.advance(600_000);
    expect(server.sockets.length).toBe(3);
  });

  it('is not ended by a token that is refused: the current connection may still be good for a while', async () => {
    let tokens = 0;
    const token = async () => {
      if (++tokens > 1) throw new FanwireError('forbidden', 'signed out');
      return 't';
    };
    const world = await connected({ token });
    const { client, server, clock, errors } = world;
    await told(world);
    await clock.advance(120_000);
    expect(client.state).toBe('connected');
    expect(errors.map(({ code }) => code)).toEqual(['forbidden']);
    expect(tokens).toBe(2);
    server.socket.cut();
    await clock.advance(2000);
    expect(client.state).toBe('closed');
  });

  it('takes a replacement with it when it is closed, and leaves nothing behind', async () => {
    const world = await connected();
    const { client, server, clock } = world;
    await told(world);
    expect(server.openSockets.length).toBe(2);
    client.close();
    expect(server.openSockets.length).toBe(0);
    expect(clock.waiting).toBe(0);
    await clock.advance(60_000);
    expect(server.sockets.length).toBe(2);
  });
});
