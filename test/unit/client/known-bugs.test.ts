import { describe, expect, it } from 'vitest';
import { FanwireError, type Subscription } from '../../../shared/client/index.ts';
import { connected, listen, outcomeOf, range, world } from './harness.ts';

/** Bugs that the client SDKs of other systems have had. The numbers are those of our list of them. */

const LOG = 'log/a';

describe('bug 1: the position was stored before the application had the messages', () => {
  it.each([
    ['live', 0],
    ['replayed', 7],
  ])('loses nothing to an unsubscribe inside a handler of %s messages', async (_, rewind) => {
    const { client, server, clock } = await connected();
    if (rewind) server.publishMany(LOG, 1, 7);
    const first = listen(client, LOG, {
      ...(rewind && { rewind }),
      onMessage: ({ data }) => {
        if (data === 4) first.sub.unsubscribe();
      },
    });
    await clock.advance(50);
    if (!rewind) server.publishMany(LOG, 1, 7);
    await clock.advance(50);
    expect(first.data).toEqual([1, 2, 3, 4]);
    const { position } = first.sub;
    expect(position?.offset).toBe(4);
    const second = listen(client, LOG, position ? { position } : {});
    await clock.advance(50);
    expect(second.data).toEqual([5, 6, 7]);
  });

  it('has not moved on while the handler runs', async () => {
    const { client, server, clock } = await connected();
    const positions: unknown[] = [];
    const { sub } = listen(client, LOG, { onMessage: () => positions.push(sub.position?.offset) });
    await clock.advance(50);
    server.publishMany(LOG, 1, 2);
    await clock.advance(50);
    expect(positions).toEqual([0, 1]);
    expect(sub.position?.offset).toBe(2);
  });

  it('loses nothing that waited when the client was closed', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 5));
    const sub = client.subscribe(LOG, { rewind: 5 });
    const iterator = sub[Symbol.asyncIterator]();
    await clock.advance(50);
    await iterator.next();
    await iterator.next();
    client.close();
    expect(sub.position).toEqual({ epoch: server.log(LOG).epoch, offset: 1 });
  });
});

describe('bug 2: the answer to an earlier subscribe was applied to a newer one', () => {
  it('takes each answer for its own subscribe, and sends them one after the other', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 9));
    // The answer to the first takes longer than everything after it.
    server.onCommand = ({ id }) => (id === '1' ? { replyAfterMs: 500 } : undefined);
    const first = listen(client, LOG, { rewind: 9 });
    await clock.advance(50);
    first.sub.unsubscribe();
    const second = listen(client, LOG, { rewind: 2 });
    await clock.advance(100);
    server.publish(LOG, 10);
    expect(server.commands.length).toBe(1);
    await clock.advance(1000);
    expect(first.sub.state).toBe('unsubscribed');
    expect(first.data).toEqual([]);
    expect(second.data).toEqual([9, 10]);
    expect(second.recoveries).toEqual([]);
  });

  it('does not send a subscribe at all that was given up before its turn', async () => {
    const { client, server, clock } = await connected();
    const first = listen(client, LOG);
    const second = listen(client, LOG, { rewind: 1 });
    second.sub.unsubscribe();
    await clock.advance(200);
    expect(first.sub.state).toBe('subscribed');
    expect(server.commands.length).toBe(1);
  });

  it('does not let an unsubscribe overtake the subscribe before it, or be overtaken by the one after', async () => {
    const { client, server, clock } = await connected();
    server.onCommand = ({ id }) => ({ runAfterMs: 300 - 100 * Number(id) });
    const first = listen(client, LOG);
    await clock.advance(15);
    first.sub.unsubscribe();
    await clock.advance(300);
    listen(client, LOG);
    await clock.advance(1000);
    expect(server.commands.map(({ frame }) => frame.action)).toEqual([
      'subscribe',
      'unsubscribe',
      'subscribe',
    ]);
    expect([...server.socket.topics]).toEqual([LOG]);
  });

  it('ignores an answer that comes after its time', async () => {
    const { client, server, clock } = await connected({ commandTimeoutMs: 1000 }, (it) =>
      it.publishMany(LOG, 1, 5),
    );
    server.onCommand = ({ id }) => (id === '1' ? { replyAfterMs: 1900 } : undefined);
    const { data } = listen(client, LOG, { rewind: 2 });
    await clock.advance(1800);
    expect(server.commandsOf('subscribe').length).toBe(2);
    server.publish(LOG, 6);
    await clock.advance(1000);
    expect(data).toEqual([4, 5, 6]);
  });
});

describe('bug 3: a page that was interrupted skipped entries', () => {
  it('starts again from the position if a drop comes between pages', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.inlineMax = 2;
      it.pageMax = 2;
    });
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.publish(LOG, 1);
    await clock.advance(50);
    server.socket.cut();
    server.publishMany(LOG, 2, 9);
    let pages = 0;
    server.onCommand = ({ action }, socket) => {
      if (action === 'history' && ++pages === 2) socket.cut();
      return undefined;
    };
    await clock.advance(5000);
    expect(data).toEqual(range(1, 9));
    expect(server.commandsOf('history').map(({ after }) => after.offset)).toEqual([3, 5, 3, 5, 7]);
    expect(recoveries).toMatchObject([{ recovered: true, from: { offset: 1 } }]);
    expect(server.commandsOf('subscribe').map(({ position }) => position?.offset)).toEqual([undefined, 1, 1]);
  });

  it('gives nothing of a replay of which a later page is gone', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.inlineMax = 2;
      it.pageMax = 2;
      it.publishMany(LOG, 1, 9);
    });
    server.onCommand = ({ action }) => {
      if (action === 'history') server.trim(LOG, 8);
      return undefined;
    };
    const { epoch } = server.log(LOG);
    const resumed = listen(client, LOG, { position: { epoch, offset: 2 } });
    await clock.advance(500);
    server.publish(LOG, 10);
    await clock.advance(50);
    expect(resumed.recoveries).toMatchObject([{ recovered: false, reason: 'trimmed', to: { offset: 9 } }]);
    expect(resumed.data).toEqual([10]);
  });
});

describe('bug 4: a listener that unsubscribed and subscribed again got the same message twice', () => {
  it.each(['log/a', 'live/a'])('gives each message of %s once', async (topic) => {
    const { client, server, clock } = await connected();
    const seen: unknown[] = [];
    let sub: Subscription | undefined;
    const subscribe = (position = sub?.position) => {
      sub = client.subscribe(topic, {
        ...(position && { position }),
        onMessage: ({ data }) => {
          seen.push(data);
          if (data !== 2 && data !== 3) return;
          sub?.unsubscribe();
          subscribe();
        },
      });
    };
    subscribe();
    await clock.advance(50);
    const { epoch } = server.log(topic);
    const messages = range(1, 5).map((n) => ({
      messageId: `x${n}`,
      publishedAt: '2026-01-01T00:00:00Z',
      publisher: {},
      data: n,
    }));
    if (topic === 'log/a') {
      server.publishMany(topic, 1, 5);
      await clock.advance(500);
    } else {
      server.socket.deliver({ type: 'messages', topic, messages });
      server.socket.deliver({ type: 'messages', topic, messages: messages.slice(3) });
      await clock.advance(500);
    }
    expect(epoch).toBeDefined();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('bugs 5 and 6: state in localStorage, which may throw or belong to another instance', () => {
  it('does not touch any storage: two clients side by side, where every storage throws, know nothing of each other', async () => {
    const denied = {
      configurable: true,
      get(): never {
        throw new Error('SecurityError');
      },
    };
    const names = ['localStorage', 'sessionStorage', 'indexedDB', 'document'];
    const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
    for (const name of names) Object.defineProperty(globalThis, name, denied);
    try {
      const one = await connected();
      const two = await connected();
      const first = listen(one.client, LOG);
      const second = listen(two.client, LOG);
      await Promise.all([one.clock.advance(50), two.clock.advance(50)]);
      one.server.publish(LOG, 'one');
      two.server.publish(LOG, 'two');
      one.server.socket.cut();
      await Promise.all([one.clock.advance(2000), two.clock.advance(2000)]);
      expect([first.data, second.data]).toEqual([['one'], ['two']]);
    } finally {
      for (const [index, name] of names.entries()) {
        const descriptor = before[index];
        if (descriptor) Object.defineProperty(globalThis, name, descriptor);
        else Reflect.deleteProperty(globalThis, name);
      }
    }
  });
});

describe('bug 7: a denied topic closed the socket and its siblings', () => {
  it('ends that subscription only', async () => {
    const { client, server, clock, states, errors } = await connected();
    const good = listen(client, LOG);
    const denied = listen(client, 'private/a');
    const ready = outcomeOf(denied.sub.ready);
    await clock.advance(50);
    expect(denied.sub.state).toBe('unsubscribed');
    expect(denied.sub.error).toMatchObject({ code: 'forbidden', temporary: false });
    expect(ready.error?.code).toBe('forbidden');
    expect(errors.map(({ code }) => code)).toEqual(['forbidden']);
    server.publish(LOG, 1);
    await clock.advance(60_000);
    expect(good.data).toEqual([1]);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
    expect(server.commandsOf('subscribe').length).toBe(2);
    server.socket.cut();
    await clock.advance(2000);
    expect(server.commandsOf('subscribe').length).toBe(3); // and never again
  });

  it('throws at whoever iterates', async () => {
    const { client, clock } = await connected();
    const iterator = client.subscribe('private/a')[Symbol.asyncIterator]();
    const next = outcomeOf(iterator.next());
    await clock.advance(50);
    expect(next.error?.code).toBe('forbidden');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

describe('bug 8: an expired token reconnected for ever', () => {
  it('closes when the token callback says that it is no use', async () => {
    const { client, server, clock, states } = world({
      token: async () => {
        throw new FanwireError('forbidden', 'signed out');
      },
    });
    const waiting = outcomeOf(client.publish(LOG, 1));
    const { sub } = listen(client, LOG);
    await clock.advance(600_000);
    expect(server.sockets).toEqual([]);
    expect(client.state).toBe('closed');
    expect(client.reason?.message).toBe('signed out');
    expect(states.length).toBe(1);
    expect(waiting.error?.code).toBe('forbidden');
    expect(sub.error?.code).toBe('forbidden');
    expect(clock.waiting).toBe(0);
  });

  it('asks for a fresh token for every try', async () => {
    let tokens = 0;
    const { client, server, clock } = world(
      { token: async () => `t.${++tokens}`, url: () => 'wss://x/prod?userId=a' },
      (it) => {
        it.onConnect = (_url, _attempt, protocols) => (protocols.includes('bearer.t.3') ? 'open' : 'refuse');
      },
    );
    await clock.advance(10_000);
    expect(client.state).toBe('connected');
    expect(server.sockets.map(({ url, protocols }) => [url, ...protocols])).toEqual(
      [1, 2, 3].map((n) => ['wss://x/prod?userId=a', 'fanwire', `bearer.t.${n}`]),
    );
  });

  it('tries again, ever less often, if the callback failed for another reason', async () => {
    let calls = 0;
    const { client, clock } = world({
      token: async () => {
        calls++;
        throw new TypeError('fetch failed');
      },
    });
    await clock.advance(120_000);
    expect(client.state).toBe('disconnected');
    expect(client.reason?.code).toBe('unavailable');
    expect(calls).toBeGreaterThan(8);
    expect(calls).toBeLessThan(20);
  });
});

describe('bug 9: traffic starved the heartbeat, and a live client was given up', () => {
  it('takes any frame for a sign of life, while pings get no answer', async () => {
    const { client, server, clock, states } = await connected();
    listen(client, 'live/a');
    await clock.advance(50);
    server.onCommand = ({ action }) => (action === 'ping' ? 'lost' : undefined);
    for (let n = 0; n < 400; n++) {
      server.publish('live/a', n);
      await clock.advance(5000);
    }
    expect(server.commandsOf('ping').length).toBeGreaterThan(0);
    expect(states.map(({ state }) => state)).toEqual(['connected']);
  });

  it('notices all the same when nothing comes any more', async () => {
    const { client, server, clock, states } = await connected();
    listen(client, 'live/a');
    await clock.advance(50);
    server.socket.isFrozen = true;
    await clock.advance(41_000);
    expect(states.map(({ state, reason }) => [state, reason?.code]).at(1)).toEqual([
      'disconnected',
      'timeout',
    ]);
    await clock.advance(1000);
    expect(client.state).toBe('connected');
    expect(server.sockets.length).toBe(2);
  });
});

describe('bug 10: a first connect that failed was not tried again, topics were not subscribed again, and each try left a ping timer', () => {
  it('tries the first connect again', async () => {
    const { client, clock, server } = world({}, (it) => {
      it.onConnect = (_, attempt) => (attempt < 4 ? 'refuse' : 'open');
    });
    const { data } = listen(client, LOG);
    await clock.advance(20_000);
    expect(client.state).toBe('connected');
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(data).toEqual([1]);
  });

  it('has exactly one heartbeat, however often it reconnects', async () => {
    const { client, clock, server } = await connected();
    listen(client, 'live/a');
    for (let n = 0; n < 20; n++) {
      server.socket.cut();
      await clock.advance(780); // the next subscribe is on its way
      server.socket.cut();
      await clock.advance(30_000);
    }
    const before = server.commandsOf('ping').length;
    await clock.advance(10 * 30_000);
    expect(server.commandsOf('ping').length - before).toBe(10);
    expect(clock.waiting).toBe(1);
  });
});
