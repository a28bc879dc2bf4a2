import { describe, expect, it } from 'vitest';
import type { Message } from '../../../shared/client/index.ts';
import { connected, listen, outcomeOf, range, world } from './harness.ts';

const LOG = 'log/a';
const LIVE = 'live/a';

/** A client that subscribed to a topic which nobody had published to. */
async function subscribedEarly() {
  const it = await connected({ heartbeatMs: 1e9 });
  const listened = listen(it.client, LOG);
  await it.clock.advance(50);
  return { ...it, ...listened };
}

describe('a topic whose log is to come', () => {
  it('has its first message delivered at once', async () => {
    const { server, clock, sub, data } = await subscribedEarly();
    server.publish(LOG, 1);
    await clock.advance(11);
    expect(data).toEqual([1]);
    expect(sub.position).toEqual({ epoch: server.log(LOG).epoch, offset: 1 });
    await clock.advance(60_000);
    expect(server.commandsOf('history')).toEqual([]);
    expect(server.commandsOf('subscribe').length).toBe(1);
  });

  it('has its first messages put in order, and the first one asked for if it is lost', async () => {
    for (const fate of ['lost', { afterMs: 20 }] as const) {
      const { server, clock, data } = await subscribedEarly();
      server.onLive = ({ data: it }) => (it === 1 ? fate : undefined);
      server.publishMany(LOG, 1, 3);
      await clock.advance(1_100);
      expect(data).toEqual([1, 2, 3]);
      expect(server.commandsOf('history').length).toBe(fate === 'lost' ? 1 : 0);
    }
  });

  it('has a message delivered that overtakes the answer to the subscribe', async () => {
    const { client, server, clock } = await connected();
    server.onCommand = () => ({ replyAfterMs: 100 });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(data).toEqual([]);
    await clock.advance(50);
    expect(data).toEqual([1]);
    expect(server.commandsOf('history')).toEqual([]);
  });

  it('is read over several pages if many messages were missed', async () => {
    const { server, clock, data } = await subscribedEarly();
    server.pageMax = 2;
    server.onLive = () => 'lost';
    server.publishMany(LOG, 1, 5);
    server.onLive = () => undefined;
    server.publish(LOG, 6);
    await clock.advance(1_300);
    expect(data).toEqual([1, 2, 3, 4, 5, 6]);
  });

  // The client slept for so long that there may have been another log in between.
  it('has nothing delivered on another connection before the server has said that the position holds', async () => {
    const { server, clock, data, recoveries, sub } = await subscribedEarly();
    const from = sub.position;
    server.onCommand = ({ action, id, topic }, socket) => {
      if (action !== 'subscribe') return undefined;
      socket.topics.add(topic);
      server.publishMany(topic, 1, 2);
      const to = { epoch: server.log(LOG).epoch, offset: 2 };
      const lost = { ...to, recovered: false, reason: 'epoch' };
      clock.setTimeout(() => socket.deliver({ type: 'ack', id, action, topic, ...lost }), 50);
      return 'lost';
    };
    server.socket.cut();
    await clock.advance(2_000);
    expect(data).toEqual([]);
    expect(recoveries).toEqual([
      { recovered: false, reason: 'epoch', from, to: { epoch: server.log(LOG).epoch, offset: 2 } },
    ]);
    server.publish(LOG, 3);
    await clock.advance(50);
    expect(data).toEqual([3]);
  });

  it('makes no gap of an answer to a ping that says it has none', async () => {
    const { client, server, clock } = await connected({ heartbeatMs: 10_000 });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onCommand = ({ action, positions }) =>
      action === 'ping' && positions ? { replyAfterMs: 500 } : undefined;
    while (!server.commandsOf('ping').some(({ positions }) => positions)) await clock.advance(100);
    server.publish(LOG, 1);
    await clock.advance(5_000);
    expect(data).toEqual([1]);
    expect(server.commandsOf('history')).toEqual([]);
    // As it would for another epoch.
    expect(server.commandsOf('subscribe').length).toBe(1);
  });
});

describe('a topic with history', () => {
  it('delivers what comes after the subscribe, with its position', async () => {
    const { client, server, clock } = await connected();
    const { sub, messages } = listen(client, LOG);
    expect(sub.state).toBe('subscribing');
    await clock.advance(50);
    await sub.ready;
    expect(sub.state).toBe('subscribed');
    expect(sub.position?.offset).toBe(0);
    const { epoch } = server.log(LOG);
    server.publish(LOG, 'hi');
    await clock.advance(50);
    expect(messages).toEqual([
      {
        topic: LOG,
        epoch,
        offset: 1,
        messageId: 'm4',
        publishedAt: '1970-01-01T00:16:40.100Z',
        publisher: {},
        data: 'hi',
      },
    ]);
    expect(sub.position).toEqual({ epoch, offset: 1 });
  });

  it('rewinds by a number of messages or by time, over several pages', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.inlineMax = 3;
      it.pageMax = 3;
      it.publishMany(LOG, 1, 5);
    });
    await clock.advance(60_000);
    server.publishMany(LOG, 6, 20);
    const byNumber = listen(client, LOG, { rewind: 10 });
    const byTime = listen(client, LOG, { rewind: { seconds: 30 } });
    await clock.advance(40);
    expect(byNumber.data).toEqual([]); // all of it or nothing
    await clock.advance(500);
    expect(byNumber.data).toEqual(range(11, 20));
    expect(byTime.data).toEqual(range(6, 20));
    expect(byNumber.recoveries).toEqual([]);
  });

  it('merges live messages that overtake the answer with the replay', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.publishMany(LOG, 1, 3);
      it.onCommand = () => ({ replyAfterMs: 200 });
    });
    const { data } = listen(client, LOG, { rewind: 2 });
    await clock.advance(50);
    server.publishMany(LOG, 4, 5);
    await clock.advance(100);
    expect(data).toEqual([]);
    await clock.advance(200);
    expect(data).toEqual([2, 3, 4, 5]);
  });

  it('puts live messages in order, and takes none twice', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? { afterMs: 300 } : 'twice');
    server.publishMany(LOG, 1, 4);
    await clock.advance(200);
    expect(data).toEqual([]);
    await clock.advance(200);
    expect(data).toEqual([1, 2, 3, 4]);
    expect(server.commandsOf('history')).toEqual([]);
  });

  it('asks for what does not come, after gapMs and page by page', async () => {
    const { client, server, clock } = await connected({ gapMs: 700 }, (it) => {
      it.pageMax = 2;
    });
    const { sub, data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it < 6 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 7);
    server.tombstone(LOG);
    await clock.advance(690);
    expect(server.commandsOf('history')).toEqual([]);
    await clock.advance(300);
    expect(data).toEqual(range(1, 7));
    expect(sub.position?.offset).toBe(8);
    expect(server.commandsOf('history')[0]).toMatchObject({ after: { offset: 0 } });
    expect(recoveries).toEqual([]);
  });

  it('gives nothing of a gap that cannot be filled, says so, and goes on after it', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.pageMax = 2;
    });
    const { data, recoveries } = listen(client, LOG);
    server.publish(LOG, 0);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it < 6 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 6);
    let pages = 0;
    server.onCommand = ({ action }) => {
      if (action === 'history' && ++pages === 2) server.trim(LOG, 5);
      return undefined;
    };
    await clock.advance(1300);
    server.publish(LOG, 7);
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    expect(recoveries).toEqual([
      { recovered: false, reason: 'trimmed', from: { epoch, offset: 1 }, to: { epoch, offset: 7 } },
    ]);
    expect(data).toEqual([7]);
  });

  it('tries a page again that failed for a while', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 2);
    let tries = 0;
    server.onCommand = ({ action }) =>
      action === 'history' && ++tries < 3 ? { error: 'unavailable' } : undefined;
    await clock.advance(10_000);
    expect(data).toEqual([1, 2]);
  });

  it.each([
    ['stands still', 0],
    ['goes back', -1],
    ['is of another epoch', 0, 'other'],
  ])('asks ever less often for a page that %s', async (_, moved, epoch = '') => {
    const { client, server, clock, errors } = await connected({ heartbeatMs: 1e9 }, (it) => {
      it.publishMany(LOG, 1, 9);
      it.inlineMax = 5;
    });
    let isStuck = true;
    const askedAt: number[] = [];
    server.onCommand = ({ action, id, topic, after }, socket) => {
      if (action !== 'history' || !isStuck) return undefined;
      askedAt.push(clock.now());
      const page = { epoch: epoch || after.epoch, offset: after.offset + moved, recovered: true, more: true };
      socket.deliver({ type: 'ack', id, action, topic, ...page });
      return 'lost';
    };
    const { data } = listen(client, LOG, { rewind: 9 });
    await clock.advance(60_000);
    const waits = askedAt.slice(1, 6).map((at, index) => at - (askedAt[index] ?? 0) - 20);
    expect(waits).toEqual([750, 1250, 2250, 4250, 8250]);
    isStuck = false;
    await clock.advance(20_000);
    expect([data, errors]).toEqual([range(1, 9), []]);
  });

  it('asks ever less often for an offset that stays undecided', async () => {
    const { client, server, clock } = await connected({ heartbeatMs: 1e9 }, (it) => void it.log(LOG));
    const { data } = listen(client, LOG);
    await clock.advance(50);
    const feed = server.log(LOG);
    const askedAt: number[] = [];
    let isDecided = false;
    server.onCommand = ({ action, id, topic }, socket) => {
      if (action !== 'history' || isDecided) return undefined;
      askedAt.push(clock.now());
      const page = { epoch: feed.epoch, offset: 0, recovered: true, messages: [] };
      socket.deliver({ type: 'ack', id, action, topic, ...page });
      return 'lost';
    };
    feed.newest++;
    for (let n = 0; n < 50; n++) {
      server.publish(LOG, n);
      await clock.advance(100);
    }
    await clock.advance(55_000);
    const waits = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? 0) - 20);
    expect(waits).toEqual([2000, 4000, 8000, 16_000, 20_000]);
    isDecided = true;
    await clock.advance(25_000);
    expect(data).toEqual(range(0, 49));
    server.onLive = ({ data: it }) => (it === 50 ? 'lost' : undefined);
    server.publishMany(LOG, 50, 51);
    await clock.advance(1100);
    expect(data).toEqual(range(0, 51)); // as soon as ever
  });

  it('asks as soon as ever for the next gap once one has closed, or moved', async () => {
    const { client, server, clock } = await connected({ heartbeatMs: 1e9 });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    const askedAt: number[] = [];
    server.onCommand = ({ action }) => {
      if (action !== 'history') return undefined;
      askedAt.push(clock.now());
      return { replyAfterMs: 500 };
    };
    server.onLive = ({ data: it }) => (it % 2 === 1 ? 'lost' : undefined);
    for (let n = 1; n <= 9; n += 2) {
      server.publishMany(LOG, n, n + 1);
      await clock.advance(1200); // the answer to the one before is still on its way
    }
    await clock.advance(3000);
    expect(data).toEqual(range(1, 10));
    for (const [index, at] of askedAt.slice(1).entries())
      expect(at - (askedAt[index] ?? 0)).toBeLessThan(2300);
  });

  it('forgets how long it waited for a gap that closed by itself', async () => {
    const { client, server, clock } = await connected({ heartbeatMs: 1e9 }, (it) => void it.log(LOG));
    const { data } = listen(client, LOG);
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    server.onCommand = ({ action, id, topic }, socket) => {
      if (action !== 'history') return undefined;
      const page = { epoch, offset: 0, recovered: true, messages: [] };
      socket.deliver({ type: 'ack', id, action, topic, ...page });
      return 'lost';
    };
    server.onLive = ({ data: it }) => (it === 1 ? { afterMs: 9000 } : it === 3 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 2);
    await clock.advance(9100);
    expect(data).toEqual([1, 2]);
    expect(clock.waiting).toBe(1); // the heartbeat
    server.onCommand = () => undefined;
    server.publishMany(LOG, 3, 4);
    await clock.advance(1100);
    expect(data).toEqual([1, 2, 3, 4]);
  });

  it('waits for gapMs, also if that is longer than any backoff', async () => {
    const { client, server, clock } = await connected({
      gapMs: 60_000,
      backoffMsMax: 20_000,
      heartbeatMs: Infinity,
    });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.publishMany(LOG, 1, 2);
    await clock.advance(59_000);
    expect(server.commandsOf('history')).toEqual([]);
    await clock.advance(2_000);
    expect(data).toEqual([1, 2]);
  });

  it('gives each gap its time', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it % 2 === 1 ? { afterMs: 900 } : undefined);
    for (const n of [1, 3, 5]) {
      server.publishMany(LOG, n, n + 1);
      await clock.advance(800);
    }
    await clock.advance(500);
    expect(data).toEqual(range(1, 6));
    expect(server.commandsOf('history')).toEqual([]);
  });

  it('asks once, however long the answer takes, and whatever comes in the meantime', async () => {
    const { client, server, clock } = await connected();
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.onCommand = ({ action }) => (action === 'history' ? { replyAfterMs: 5000 } : undefined);
    for (let n = 1; n <= 60; n++) {
      server.publish(LOG, n);
      await clock.advance(100);
      expect(clock.waiting).toBeLessThan(5);
    }
    await clock.advance(3000);
    expect(data).toEqual(range(1, 60));
    expect(server.commandsOf('history').length).toBe(1);
    expect(recoveries).toEqual([]);
  });

  it('gets everything that was lost after the gap too, in bites', async () => {
    const { client, server, clock } = await connected({ bufferMax: 10, heartbeatMs: 1e9 });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 2 ? undefined : 'lost');
    server.publishMany(LOG, 1, 60);
    server.pageMax = 7;
    await clock.advance(2000);
    expect(data).toEqual(range(1, 60));
  });

  it('becomes one without, if that is what the server has made of it', async () => {
    const { client, server, clock } = await connected();
    const { sub, data, recoveries } = listen(client, LOG, { rewind: 3 });
    server.publish(LOG, 1);
    await clock.advance(50);
    server.onCommand = ({ action, id, topic, position }, socket) => {
      if (action !== 'subscribe') return undefined;
      const lost = position && { recovered: false, reason: 'no_history' };
      socket.deliver({ type: 'ack', id, action, topic, ...lost });
      return 'lost';
    };
    for (let n = 0; n < 2; n++) {
      server.socket.cut();
      await clock.advance(2000);
    }
    expect(server.commandsOf('subscribe').map(({ rewind, position }) => rewind ?? position?.offset)).toEqual([
      3,
      1,
      undefined,
    ]);
    expect(recoveries).toMatchObject([
      { recovered: false, reason: 'no_history', from: { offset: 1 } },
      { recovered: false, reason: 'no_history' },
    ]);
    expect(sub.position).toBeUndefined();
    server.socket.deliver({
      type: 'message',
      topic: LOG,
      messageId: 'm',
      publishedAt: '2026-01-01T00:00:00Z',
      publisher: {},
      data: 2,
    });
    await clock.advance(50);
    expect(data).toEqual([1, 2]);
  });

  it('goes on with what comes live if history is forbidden', async () => {
    const { client, server, clock } = await connected();
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it < 3 ? 'lost' : undefined);
    server.onCommand = ({ action }) => (action === 'history' ? { error: 'forbidden' } : undefined);
    server.publishMany(LOG, 1, 4);
    await clock.advance(1200);
    expect(data).toEqual([3, 4]);
    expect(recoveries).toMatchObject([{ recovered: false, reason: 'forbidden', to: { offset: 2 } }]);
  });

  it('advances the position over what is not for this connection', async () => {
    const { client, server, clock } = await connected();
    const { sub, data } = listen(client, LOG);
    await clock.advance(50);
    server.publish(LOG, 1, undefined, [server.socket.connectionId]);
    await clock.advance(50);
    expect(data).toEqual([]);
    expect(sub.position?.offset).toBe(1);
  });

  it('delivers nothing of a new epoch before the server has told of the loss, and nothing twice', async () => {
    const { client, server, clock } = await connected();
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.publishMany(LOG, 1, 2);
    await clock.advance(50);
    const old = server.log(LOG).epoch;
    server.reincarnate(LOG);
    const { epoch } = server.log(LOG);
    server.publishMany(LOG, 11, 12);
    await clock.advance(500);
    expect(data).toEqual([1, 2]);
    await clock.advance(1000);
    server.publishMany(LOG, 13, 14);
    server.socket.deliver({
      type: 'message',
      topic: LOG,
      epoch: old,
      offset: 3,
      messageId: 'old',
      publishedAt: '2026-01-01T00:00:00Z',
      publisher: {},
      data: 3,
    });
    await clock.advance(5000);
    expect(recoveries).toEqual([
      { recovered: false, reason: 'epoch', from: { epoch: old, offset: 2 }, to: { epoch, offset: 2 } },
    ]);
    expect(data).toEqual([1, 2, 13, 14]);
  });

  it('goes on from a position, or says why not', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 400));
    const { epoch } = server.log(LOG);
    const good = listen(client, LOG, { position: { epoch, offset: 397 } });
    const tooMany = listen(client, LOG, { position: { epoch, offset: 50 } });
    const other = listen(client, LOG, { position: { epoch: 'other', offset: 399 } });
    const ahead = listen(client, LOG, { position: { epoch, offset: 500 } });
    await clock.advance(100);
    server.publish(LOG, 401);
    await clock.advance(50);
    const to = { epoch, offset: 400 };
    expect(good.recoveries).toEqual([{ recovered: true, from: { epoch, offset: 397 }, to }]);
    expect(good.data).toEqual([398, 399, 400, 401]);
    expect(tooMany.recoveries).toEqual([
      { recovered: false, reason: 'too_many', from: { epoch, offset: 50 }, to },
    ]);
    expect(other.recoveries).toMatchObject([{ recovered: false, reason: 'epoch' }]);
    expect(ahead.recoveries).toMatchObject([{ recovered: false, reason: 'unknown_position' }]);
    for (const { data } of [tooMany, other, ahead]) expect(data).toEqual([401]);
    server.socket.cut();
    await clock.advance(2000);
    const again = server.commandsOf('subscribe').slice(-4);
    expect(again.every(({ position }) => position.epoch === epoch && position.offset === 401)).toBe(true);
  });

  it('takes a page of history for a position', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 4));
    const page = client.history(LOG, { limit: 2 });
    await clock.advance(50);
    const { data } = listen(client, LOG, { position: await page });
    const next = client.history(LOG, { after: await page });
    await clock.advance(50);
    expect(data).toEqual([3, 4]);
    expect(await next).toMatchObject({
      messages: [{ data: 3, topic: LOG }, { data: 4 }],
      more: false,
      recovered: true,
    });
    expect(server.commandsOf('subscribe')[0].position).toEqual({ epoch: (await page).epoch, offset: 2 });
  });
});

describe('a topic whose history one may not have', () => {
  it('has lost nothing after a drop if its newest message is one that has come', async () => {
    const { client, server, clock, errors } = await connected({}, (server) => {
      server.mayRecover = false;
    });
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.publish(LOG, 1);
    await clock.advance(50);
    server.socket.cut();
    await clock.advance(2000);
    server.publish(LOG, 2);
    await clock.advance(50);
    const at = { epoch: server.log(LOG).epoch, offset: 1 };
    expect([data, recoveries, errors]).toEqual([[1, 2], [{ recovered: true, from: at, to: at }], []]);
    server.socket.cut();
    server.publish(LOG, 3);
    await clock.advance(2000);
    expect(recoveries.slice(1)).toMatchObject([{ recovered: false, reason: 'recovery_off' }]);
  });
});

describe('a topic without history, and a pattern', () => {
  it('delivers as it comes, each message once', async () => {
    const { client, server, clock } = await connected();
    const { sub, data } = listen(client, LIVE);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? { afterMs: 100 } : 'twice');
    server.publishMany(LIVE, 1, 3);
    await clock.advance(300);
    expect(data).toEqual([2, 3, 1]);
    expect(sub.position).toBeUndefined();
  });

  it('routes a message that came once to every subscription that covers its topic', async () => {
    const { client, server, clock } = await connected();
    const exact = listen(client, 'log/a/b');
    const wide = listen(client, 'log/*');
    const narrow = listen(client, 'log/a/*');
    const other = listen(client, 'log/b/*');
    const begun = listen(client, 'lo/*');
    await clock.advance(50);
    server.publish('log/a/b', 1);
    server.publish('log/a', 2);
    server.publish('log/ab', 3);
    await clock.advance(50);
    expect(exact.data).toEqual([1]);
    expect(wide.data).toEqual([1, 2, 3]);
    expect(narrow.data).toEqual([1, 2]);
    expect([other.data, begun.data]).toEqual([[], []]);
    expect(wide.messages[0]).toMatchObject({ topic: 'log/a/b', offset: 1 });
    expect(wide.sub.position).toBeUndefined();
  });

  it('does not give a pattern what is not for this connection', async () => {
    const { client, server, clock, errors } = await connected();
    const exact = listen(client, LOG);
    const wild = listen(client, 'log/*');
    await clock.advance(50);
    server.publish(LOG, 1, undefined, [server.socket.connectionId]);
    await clock.advance(50);
    expect([exact.data, wild.data, errors]).toEqual([[], [], []]);
  });

  it('shows what comes with a used key 5 minutes later, however little came in between', async () => {
    const { client, server, clock, direct } = await connected();
    const live = listen(client, LIVE);
    const wild = listen(client, 'log/*');
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    const deliver = (data: string, offset: number) => {
      const publishedAt = `2026-01-0${offset}T00:00:00Z`;
      const message = { type: 'message', messageId: 'of the key', publishedAt, publisher: {}, data };
      server.socket.deliver({ ...message, topic: LIVE });
      server.socket.deliver({ ...message, topic: LOG, epoch, offset });
      server.socket.deliver(message);
    };
    deliver('first', 1);
    await clock.advance(299_000);
    // By its publisher, who did not know that it had come.
    for (const message of [{ topic: LIVE }, {}]) {
      const again = {
        messageId: 'of the key',
        publishedAt: '2026-01-03T00:00:00Z',
        publisher: {},
        data: 'first',
      };
      server.socket.deliver({ type: 'message', ...again, ...message });
    }
    await clock.advance(2_000);
    deliver('second', 2);
    await clock.advance(50);
    // By a queue.
    deliver('first', 1);
    deliver('second', 2);
    await clock.advance(600_000);
    deliver('second', 2);
    await clock.advance(50);
    for (const data of [live.data, wild.data, direct]) expect(data).toEqual(['first', 'second']);
  });

  it('knows messages of a pattern by their offsets, if they have some', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, 'log/*');
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    const deliver = (offset: number) =>
      server.socket.deliver({
        ...{ type: 'message', topic: LOG, epoch, offset, messageId: 'of the key' },
        ...{ publishedAt: '2026-01-01T00:00:00Z', publisher: {}, data: offset },
      });
    for (const offset of [1, 2, 2, 1]) deliver(offset);
    await clock.advance(50);
    expect(data).toEqual([1, 2]);
  });

  it('takes one id on two topics for two messages', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, 'live/*');
    await clock.advance(50);
    for (const topic of ['live/a', 'live/b']) {
      server.socket.deliver({
        type: 'message',
        topic,
        messageId: 'm',
        publishedAt: '2026-01-01T00:00:00Z',
        publisher: {},
        data: topic,
      });
    }
    await clock.advance(50);
    expect(data).toEqual(['live/a', 'live/b']);
  });

  it('understands several messages in one frame', async () => {
    const { client, server, clock } = await connected();
    const live = listen(client, LIVE);
    const log = listen(client, LOG);
    await clock.advance(50);
    const messages = [2, 1].map((n) => ({
      messageId: `x${n}`,
      publishedAt: '2026-01-01T00:00:00Z',
      publisher: {},
      data: n,
    }));
    const placed = messages.map((message) => ({ ...message, offset: message.data }));
    server.socket.deliver({ type: 'messages', topic: LIVE, messages });
    server.socket.deliver({
      type: 'messages',
      topic: LOG,
      epoch: server.log(LOG).epoch,
      messages: placed,
    });
    await clock.advance(50);
    expect(live.data).toEqual([2, 1]);
    expect(log.data).toEqual([1, 2]);
  });

  it('delivers messages to this connection, its user or everyone apart, each once', async () => {
    const { server, clock, direct } = await connected();
    server.sendDirect('a');
    const message = { messageId: 'twice', publishedAt: '2026-01-01T00:00:00Z', publisher: {}, data: 'b' };
    for (const _ of range(1, 2)) server.socket.deliver({ type: 'message', ...message });
    await clock.advance(50);
    expect(direct).toEqual(['a', 'b']);
  });
});

describe('several subscriptions to a topic', () => {
  it('gives each its own replay, and unsubscribes with the last', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 5));
    const first = listen(client, LOG);
    await clock.advance(50);
    const second = listen(client, LOG, { rewind: 2 });
    await clock.advance(50);
    server.publish(LOG, 6);
    await clock.advance(50);
    expect(first.data).toEqual([6]);
    expect(second.data).toEqual([4, 5, 6]);
    first.sub.unsubscribe();
    await clock.advance(50);
    expect(server.commandsOf('unsubscribe')).toEqual([]);
    server.publish(LOG, 7);
    await clock.advance(50);
    expect(first.data).toEqual([6]);
    expect(second.data).toEqual([4, 5, 6, 7]);
    second.sub.unsubscribe();
    second.sub.unsubscribe();
    await clock.advance(50);
    expect(server.commandsOf('unsubscribe').length).toBe(1);
    expect(server.socket.topics.size).toBe(0);
  });

  it('stays subscribed if the last one leaves and another comes at once', async () => {
    const { client, server, clock } = await connected();
    listen(client, LIVE).sub.unsubscribe();
    const { data } = listen(client, LIVE);
    await clock.advance(100);
    server.publish(LIVE, 1);
    await clock.advance(50);
    expect(data).toEqual([1]);
    expect(server.commandsOf('unsubscribe')).toEqual([]);
  });
});

describe('the application', () => {
  it('is told of its own errors, and goes on getting messages', async () => {
    const { client, server, clock, errors } = await connected();
    const { data } = listen(client, LOG, {
      onMessage: ({ data: it }) => {
        if (it === 1) throw new Error('mine');
        if (it === 2) return Promise.reject(new Error('mine, later'));
      },
    });
    await clock.advance(50);
    server.publishMany(LOG, 1, 3);
    await clock.advance(50);
    expect(data).toEqual([1, 2, 3]);
    expect(errors.map(({ code, cause }) => [code, (cause as Error).message])).toEqual([
      ['handler_failed', 'mine'],
      ['handler_failed', 'mine, later'],
    ]);
  });

  it('gets the next message when the promise for the one before is settled', async () => {
    const { client, server, clock } = await connected();
    const done: (() => void)[] = [];
    const { sub, data } = listen(client, LOG, {
      onMessage: () => new Promise<void>((resolve) => done.push(resolve)),
    });
    await clock.advance(50);
    server.publishMany(LOG, 1, 2);
    await clock.advance(50);
    expect(data).toEqual([1]);
    expect(sub.position?.offset).toBe(0);
    done[0]?.();
    await clock.advance(1);
    expect(data).toEqual([1, 2]);
    expect(sub.position?.offset).toBe(1);
  });

  it('may iterate, and the position follows', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 3));
    const sub = client.subscribe<number>(LOG, { rewind: 3 });
    await clock.advance(50);
    expect(sub.position?.offset).toBe(0);
    const iterator = sub[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.data).toBe(1);
    expect(sub.position?.offset).toBe(0);
    expect((await iterator.next()).value?.data).toBe(2);
    expect(sub.position?.offset).toBe(1);
    await iterator.next();
    const next = outcomeOf(iterator.next());
    await clock.advance(50);
    expect(next).toEqual({});
    expect(sub.position?.offset).toBe(3);
    server.publish(LOG, 4);
    await clock.advance(50);
    expect(next.value?.value?.data).toBe(4);
    const end = outcomeOf(iterator.next());
    sub.unsubscribe();
    await clock.advance(50);
    expect(end.value).toEqual({ done: true, value: undefined });
    expect(sub.position?.offset).toBe(4);
  });

  it('may ask for several at once, and gets them in order', async () => {
    const { client, server, clock } = await connected();
    const sub = client.subscribe<number>(LOG);
    const iterator = sub[Symbol.asyncIterator]();
    const asked = range(1, 3).map(() => outcomeOf(iterator.next()));
    await clock.advance(50);
    const offsets: unknown[] = [];
    for (const n of range(1, 3)) {
      server.publish(LOG, n);
      await clock.advance(50);
      offsets.push(sub.position?.offset);
    }
    expect(asked.map(({ value }) => value?.value?.data)).toEqual([1, 2, 3]);
    // Only the last one is still at hand.
    expect(offsets).toEqual([1, 2, 2]);
  });

  it.each(['return', 'throw', 'unsubscribe', 'close'])(
    'gets an end of all that it asked for by %s',
    async (way) => {
      const { client, server, clock } = await connected();
      const sub = client.subscribe<number>(LOG);
      const iterator = sub[Symbol.asyncIterator]();
      await clock.advance(50);
      const asked = range(1, 3).map(() => outcomeOf(iterator.next()));
      server.publish(LOG, 1);
      await clock.advance(50);
      if (way === 'return') await iterator.return?.();
      if (way === 'throw') await iterator.throw?.(new Error('mine')).catch(() => {});
      if (way === 'unsubscribe') sub.unsubscribe();
      if (way === 'close') client.close();
      await clock.advance(50);
      expect(asked.map(({ value }) => [value?.done, value?.value?.data])).toEqual([
        [false, 1],
        [true, undefined],
        [true, undefined],
      ]);
      expect(sub.position?.offset).toBe(1);
    },
  );

  it('unsubscribes by leaving the loop, and a message whose turn was not over comes again', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 5));
    const sub = client.subscribe<number>(LOG, { rewind: 5 });
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { data } of sub) {
        seen.push(data);
        if (data === 3) break;
      }
    })();
    await clock.advance(100);
    await loop;
    expect(seen).toEqual([1, 2, 3]);
    expect(sub.state).toBe('unsubscribed');
    expect(server.commandsOf('unsubscribe').length).toBe(1);
    const { position } = sub;
    const rest = listen(client, LOG, position ? { position } : {});
    await clock.advance(50);
    expect(rest.data).toEqual([3, 4, 5]);
  });

  it('gets an error if two want to iterate, or one beside a callback', async () => {
    const { client } = await connected();
    const { sub } = listen(client, LOG);
    expect(() => sub[Symbol.asyncIterator]()).toThrow('expected one consumer');
    const other = client.subscribe(LOG);
    other[Symbol.asyncIterator]();
    expect(() => other[Symbol.asyncIterator]()).toThrow('expected one consumer');
  });

  it('ends with the client', async () => {
    const { client, server, clock } = await connected();
    const sub = client.subscribe(LOG);
    const pending = client.subscribe('log/other');
    listen(client, 'log/gap');
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.publishMany('log/gap', 1, 2);
    await clock.advance(50);
    const unanswered = client.subscribe('log/late');
    const loop = (async () => {
      for await (const _ of sub);
      return 'ended';
    })();
    await clock.advance(5);
    const ready = outcomeOf(unanswered.ready);
    client.close();
    await clock.advance(50);
    expect(await loop).toBe('ended');
    expect(ready.error?.code).toBe('closed');
    expect([pending.state, unanswered.state]).toEqual(['unsubscribed', 'unsubscribed']);
    expect(server.openSockets).toEqual([]);
    expect(client.subscribe(LOG).error?.code).toBe('closed');
    expect(clock.waiting).toBe(0);
  });
});

describe('an application that is too slow', () => {
  it('reads the rest of a log from history once it has caught up', async () => {
    const { client, server, clock } = await connected({ bufferMax: 10 }, (it) => {
      it.pageMax = 7;
    });
    const sub = client.subscribe<number>(LOG);
    await clock.advance(50);
    const seen: number[] = [];
    const iterator = sub[Symbol.asyncIterator]();
    const take = async () => seen.push((await iterator.next()).value?.data ?? 0);
    server.publishMany(LOG, 1, 60);
    await clock.advance(60_000);
    expect(server.commandsOf('history')).toEqual([]);
    for (let n = 1; n <= 60; n++) {
      if (n === 20) expect(server.commandsOf('history').length).toBe(2); // two pages of 7, then it is enough
      const taken = take();
      await clock.advance(200);
      await taken;
    }
    expect(seen).toEqual(range(1, 60));
    server.publish(LOG, 61);
    await clock.advance(100);
    const last = take();
    await clock.advance(1);
    await last;
    expect(seen.at(-1)).toBe(61);
  });

  it('has the rest read at once, without a ping that tells of it', async () => {
    const { client, server, clock } = await connected({ bufferMax: 3, heartbeatMs: 1e9 });
    const iterator = client.subscribe<number>(LOG)[Symbol.asyncIterator]();
    await clock.advance(50);
    for (const n of range(1, 7)) {
      server.publish(LOG, n);
      await clock.advance(50);
    }
    const seen: unknown[] = [];
    for (const _ of range(1, 7)) {
      const next = outcomeOf(iterator.next());
      await clock.advance(40);
      seen.push(next.value?.value?.data);
    }
    expect(seen).toEqual(range(1, 7));
  });

  it('is not given the next message before onRecovery is done', async () => {
    const { client, server, clock } = await connected({ bufferMax: 1 });
    let done = () => {};
    const onRecovery = () => new Promise<void>((resolve) => (done = resolve));
    const iterator = client.subscribe(LIVE, { onRecovery })[Symbol.asyncIterator]();
    await clock.advance(50);
    server.publishMany(LIVE, 1, 2);
    await clock.advance(50);
    expect((await iterator.next()).value?.data).toBe(1);
    const next = outcomeOf(iterator.next());
    server.publish(LIVE, 3);
    await clock.advance(50);
    const after = outcomeOf(iterator.next());
    await clock.advance(50);
    expect([next, after]).toEqual([{}, {}]);
    done();
    await clock.advance(50);
    expect(next.value?.value?.data).toBe(3);
  });

  it('is told in its place what was lost of a topic without history', async () => {
    const { client, server, clock } = await connected({ bufferMax: 3 });
    const story: unknown[] = [];
    const sub = client.subscribe<number>(LIVE, { onRecovery: ({ reason }) => story.push(reason) });
    await clock.advance(50);
    const iterator = sub[Symbol.asyncIterator]();
    server.publishMany(LIVE, 1, 9);
    await clock.advance(50);
    const take = async (count: number) => {
      for (let n = 0; n < count; n++) story.push((await iterator.next()).value?.data);
    };
    await take(3);
    const more = take(1);
    server.publish(LIVE, 10);
    await clock.advance(50);
    await more;
    expect(story).toEqual([1, 2, 3, 'slow_consumer', 10]);
  });
});

describe('a loop of an application that gave no onRecovery', () => {
  it('ends with an error where messages of a log are lost, and the position is after them', async () => {
    const { client, server, clock, errors } = await connected();
    const sub = client.subscribe<number>(LOG);
    const iterator = sub[Symbol.asyncIterator]();
    await clock.advance(50);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect((await iterator.next()).value?.data).toBe(1);
    server.socket.cut();
    server.publishMany(LOG, 2, 500);
    await clock.advance(2000);
    server.publish(LOG, 501);
    await clock.advance(50);
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'lost',
      message: expect.stringMatching(/^expected every message of log\/a, .*too_many/),
      cause: { recovered: false, reason: 'too_many', from: { offset: 1 }, to: { offset: 500 } },
    });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await clock.advance(50);
    expect([sub.state, sub.error?.code, server.socket.topics.size]).toEqual(['unsubscribed', 'lost', 0]);
    expect(errors).toEqual([]);
    const { position } = sub;
    expect(position?.offset).toBe(500);
    const rest = listen(client, LOG, position ? { position } : {});
    await clock.advance(50);
    expect(rest.data).toEqual([501]);
  });

  it('ends with an error where it was too slow for a topic without history, after what it has kept', async () => {
    const { client, server, clock } = await connected({ bufferMax: 3 });
    const sub = client.subscribe<number>(LIVE);
    await clock.advance(50);
    server.publishMany(LIVE, 1, 9);
    await clock.advance(50);
    const seen: unknown[] = [];
    const loop = async () => {
      for await (const { data } of sub) seen.push(data);
    };
    await expect(loop()).rejects.toMatchObject({ code: 'lost', cause: { reason: 'slow_consumer' } });
    expect(seen).toEqual([1, 2, 3]);
  });

  it('goes on after a drop on a topic without history, which is an error event', async () => {
    const { client, server, clock, errors } = await connected();
    const iterator = client.subscribe<number>(LIVE)[Symbol.asyncIterator]();
    await clock.advance(50);
    server.socket.cut();
    server.publish(LIVE, 1);
    await clock.advance(2000);
    server.publish(LIVE, 2);
    const next = outcomeOf(iterator.next());
    await clock.advance(50);
    expect(next.value?.value?.data).toBe(2);
    expect(errors).toMatchObject([{ code: 'lost', cause: { reason: 'no_history' } }]);
  });

  it('is not the only one that hears: with onMessage alone a loss is an error event', async () => {
    const { client, server, clock, errors } = await connected();
    const seen: unknown[] = [];
    client.subscribe(LOG, { onMessage: ({ data }) => seen.push(data) });
    await clock.advance(50);
    server.socket.cut();
    server.publishMany(LOG, 1, 500);
    await clock.advance(2000);
    server.publish(LOG, 501);
    await clock.advance(50);
    expect(seen).toEqual([501]);
    expect(errors).toMatchObject([{ code: 'lost', cause: { reason: 'too_many' } }]);
  });

  it('may take its iterator for an iterable, and leave it by throw or return', async () => {
    const { client, server, clock } = await connected();
    const sub = client.subscribe<number>(LOG);
    const iterator = sub[Symbol.asyncIterator]();
    expect(iterator[Symbol.asyncIterator]()).toBe(iterator);
    const waiting = outcomeOf(iterator.next());
    const mine = new Error('mine');
    await expect(iterator.throw?.(mine)).rejects.toBe(mine);
    await clock.advance(50);
    expect(waiting.value).toEqual({ done: true, value: undefined });
    expect([sub.state, sub.error]).toEqual(['unsubscribed', undefined]);
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    expect(server.commandsOf('subscribe').length).toBeLessThan(2);
  });
});

describe('the client across drops', () => {
  it('takes up every log where it was, and says so', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 3));
    const log = listen(client, LOG, { rewind: 1 });
    const live = listen(client, LIVE);
    const wild = listen(client, 'log/*');
    await clock.advance(50);
    server.publish(LOG, 4);
    server.publish(LIVE, 'x');
    await clock.advance(50);
    server.socket.cut();
    expect([log.sub.state, live.sub.state]).toEqual(['subscribing', 'subscribing']);
    server.publishMany(LOG, 5, 6);
    server.publish(LIVE, 'y');
    await clock.advance(2000);
    const { epoch } = server.log(LOG);
    expect(server.commandsOf('subscribe').at(-3)).toEqual({
      id: '1',
      action: 'subscribe',
      topic: LOG,
      position: { epoch, offset: 4 },
    });
    expect(log.data).toEqual([3, 4, 5, 6]);
    expect(log.recoveries).toEqual([
      { recovered: true, from: { epoch, offset: 4 }, to: { epoch, offset: 6 } },
    ]);
    expect(live.data).toEqual(['x']);
    expect(live.recoveries).toEqual([{ recovered: false, reason: 'no_history' }]);
    expect(wild.recoveries).toEqual([{ recovered: false, reason: 'no_history' }]);
    expect(log.sub.state).toBe('subscribed');
    server.onLive = ({ data: it }) => (it === 7 ? 'lost' : undefined);
    server.publishMany(LOG, 7, 8);
    await clock.advance(2000);
    expect(log.data).toEqual(range(3, 8));
    expect(log.recoveries.length).toBe(1); // a gap that was filled is not worth a word
  });

  it('does not ask for a gap before the server has answered the subscribe', async () => {
    const { client, server, clock } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.socket.cut();
    server.publish(LOG, 1);
    server.onCommand = () => ({ replyAfterMs: 5000 });
    await clock.advance(1000);
    server.publish(LOG, 2);
    await clock.advance(4000);
    expect(data).toEqual([]);
    await clock.advance(2000);
    expect(data).toEqual([1, 2]);
    expect(server.commandsOf('history')).toEqual([]);
  });

  it('says from where it recovered, with what came live before the answer', async () => {
    const { client, server, clock } = await connected({}, (it) => void it.log(LOG));
    let done = () => {};
    const onRecovery = () => new Promise<void>((resolve) => (done = resolve));
    const { sub, data, recoveries } = listen(client, LOG, { onRecovery });
    await clock.advance(50);
    server.onCommand = () => ({ replyAfterMs: 100 });
    server.socket.cut();
    await clock.advance(935);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(data).toEqual([1]);
    await clock.advance(500);
    expect(recoveries).toMatchObject([{ recovered: true, from: { offset: 1 }, to: { offset: 1 } }]);
    expect(sub.position?.offset).toBe(1);
    done();
  });

  it('stops asking for a gap with the drop', async () => {
    const { client, server, clock, network } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onLive = ({ data: it }) => (it === 1 ? 'lost' : undefined);
    server.onCommand = ({ action }) =>
      action === 'history' ? { error: 'unavailable' } : { replyAfterMs: 3000 };
    server.publishMany(LOG, 1, 2);
    await clock.advance(1100);
    expect(server.commandsOf('history').length).toBe(1);
    server.socket.cut();
    network.say('online');
    await clock.advance(4000);
    expect(server.commandsOf('history').length).toBe(1);
    expect(data).toEqual([1, 2]);
  });

  it('has recovered if everything came live before the server said that it was lost', async () => {
    const { client, server, clock } = await connected({}, (it) => void it.log(LOG));
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    server.onCommand = ({ action, id, topic }, socket) => {
      socket.topics.add(topic);
      server.publishMany(topic, 1, 2);
      const lost = { epoch, offset: 2, recovered: false, reason: 'trimmed' };
      clock.setTimeout(() => socket.deliver({ type: 'ack', id, action, topic, ...lost }), 50);
      return 'lost';
    };
    server.socket.cut();
    await clock.advance(2000);
    expect(data).toEqual([1, 2]);
    expect(recoveries).toEqual([{ recovered: true, from: { epoch, offset: 2 }, to: { epoch, offset: 2 } }]);
  });

  it('rewinds again if it never got an answer', async () => {
    const { client, server, clock } = await connected({}, (it) => it.publishMany(LOG, 1, 3));
    server.onCommand = () => 'reply lost';
    const { data, recoveries } = listen(client, LOG, { rewind: 2 });
    await clock.advance(50);
    server.onCommand = () => undefined;
    server.socket.cut();
    await clock.advance(2000);
    expect(data).toEqual([2, 3]);
    expect(recoveries).toEqual([]);
  });

  it('says recovered once, even if a drop comes between answer and replay', async () => {
    const { client, server, clock } = await connected({}, (it) => {
      it.inlineMax = 2;
    });
    const { sub, data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.socket.cut();
    server.publishMany(LOG, 1, 6);
    await clock.advance(945); // the first page has come, and the second has been asked for
    expect(server.commandsOf('history').length).toBe(1);
    expect(sub.state).toBe('subscribing');
    server.socket.cut();
    await clock.advance(2000);
    expect(data).toEqual(range(1, 6));
    expect(recoveries).toMatchObject([{ recovered: true }]);
  });

  it('says what was lost, and goes on', async () => {
    const { client, server, clock } = await connected();
    const { data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    server.publish(LOG, 1);
    await clock.advance(50);
    server.socket.cut();
    server.publishMany(LOG, 2, 500);
    await clock.advance(2000);
    server.publish(LOG, 501);
    await clock.advance(50);
    expect(recoveries).toMatchObject([
      { recovered: false, reason: 'too_many', from: { offset: 1 }, to: { offset: 500 } },
    ]);
    expect(data).toEqual([1, 501]);
  });

  it('waits with messages for a promise of onRecovery', async () => {
    const { client, server, clock } = await connected();
    let done = () => {};
    const { sub, data } = listen(client, LOG, {
      onRecovery: () =>
        new Promise<void>((resolve) => {
          done = resolve;
        }),
    });
    await clock.advance(50);
    server.socket.cut();
    server.publish(LOG, 1);
    await clock.advance(2000);
    expect(data).toEqual([]);
    expect(sub.position?.offset).toBe(0);
    done();
    await clock.advance(1);
    expect(data).toEqual([1]);
  });

  it('subscribes what was subscribed while there was no connection', async () => {
    const { client, server, clock } = world();
    const { data, sub } = listen(client, LOG);
    const gone = listen(client, 'log/gone');
    gone.sub.unsubscribe();
    await clock.advance(50);
    await sub.ready;
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(data).toEqual([1]);
    expect(server.commandsOf('subscribe').length).toBe(1);
  });
});

describe('types', () => {
  it('gives the data the type that the application says it has', async () => {
    const { client } = await connected();
    const handle = (message: Message<{ text: string }>) => message.data.text;
    client.subscribe<{ text: string }>(LOG, { onMessage: handle });
    // @ts-expect-error: a number is not what the handler takes
    client.subscribe<number>(LOG, { onMessage: handle });
  });
});
