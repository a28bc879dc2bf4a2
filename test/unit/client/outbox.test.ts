import { describe, expect, it } from 'vitest';
import { connected, outcomeOf, range, type World, world } from './harness.ts';

const LOG = 'log/a';

const dataIn = ({ server }: World, topic = LOG): unknown[] =>
  [...server.log(topic).entries.values()].map(({ data }) => data);
const sizesOf = ({ server }: World): number[] =>
  server.commandsOf('publish').map(({ messages }) => messages?.length ?? 1);

describe('publishing', () => {
  it('sends a lone message at once, with a key and what else was given', async () => {
    const { client, server, clock } = await connected();
    const published = outcomeOf(
      client.publish('live/a', { n: 1 }, { maxAge: 5, except: 'self', version: 3, key: 'mine' }),
    );
    client.publish('live/b', null);
    await clock.advance(50);
    expect(published.value).toEqual({ messageId: expect.any(String) });
    expect(clock.waiting).toBe(1); // the heartbeat
    expect(server.commandsOf('publish')).toEqual([
      {
        id: '1',
        action: 'publish',
        topic: 'live/a',
        data: { n: 1 },
        key: 'mine',
        family: expect.any(String),
        maxAge: 5,
        except: 'self',
        version: 3,
      },
      { id: '2', action: 'publish', topic: 'live/b', data: null, key: 'key2' },
    ]);
  });

  it('sends together, in order and ten at a time, what is published in the meantime', async () => {
    const it = await connected();
    const all = range(1, 25).map((n) => outcomeOf(it.client.publish(LOG, n)));
    await it.clock.advance(200);
    expect(sizesOf(it)).toEqual([1, 10, 10, 4]);
    expect(dataIn(it)).toEqual(range(1, 25));
    const ids = [...it.server.log(LOG).entries.values()].map(({ messageId }) => messageId);
    expect(all.map(({ value }) => value?.messageId)).toEqual(ids);
  });

  it('keeps frames below 32 KB of UTF-8', async () => {
    const it = await connected();
    const text = '€'.repeat(4000); // 12 KB
    for (const n of range(1, 7)) it.client.publish(LOG, `${n}${text}`);
    await it.clock.advance(300);
    expect(sizesOf(it)).toEqual([1, 2, 2, 2]);
    for (const frame of it.server.commandsOf('publish')) {
      expect(new TextEncoder().encode(JSON.stringify(frame)).length).toBeLessThan(32 * 1024);
    }
  });

  it('rejects what does not fit into a frame, and what is no JSON, and nothing else', async () => {
    const it = await connected();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const all = ['a', '€'.repeat(11_000), circular, 1n, 'b'].map((data) =>
      outcomeOf(it.client.publish(LOG, data)),
    );
    await it.clock.advance(1);
    expect(all.map(({ error }) => error?.code)).toEqual([
      undefined,
      'too_large',
      'bad_request',
      'bad_request',
      undefined,
    ]);
    await it.clock.advance(100);
    expect(dataIn(it)).toEqual(['a', 'b']);
  });

  it('takes the largest message that fits, alone or not', async () => {
    const it = await connected();
    const all = ['x', 'y'.repeat(32_500), 'z'].map((data) => outcomeOf(it.client.publish(LOG, data)));
    await it.clock.advance(200);
    expect(all.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    expect(dataIn(it).length).toBe(3);
  });

  it('lets only the bad one of several fail', async () => {
    const it = await connected();
    const all = [1, 2, 3, 'BAD', 5, 6].map((data) => outcomeOf(it.client.publish(LOG, data)));
    await it.clock.advance(500);
    expect(all.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      'bad_request',
      undefined,
      undefined,
    ]);
    expect(dataIn(it)).toEqual([1, 2, 3, 5, 6]);
    expect(sizesOf(it)).toEqual([1, 5, 1, 1, 1, 1, 1]);
  });

  it('keeps what it sends one by one apart from the rest', async () => {
    const it = await connected();
    for (const data of [1, 'BAD', 3, 4]) outcomeOf(it.client.publish(LOG, data));
    await it.clock.advance(55);
    for (const data of [5, 6]) it.client.publish(LOG, data);
    await it.clock.advance(500);
    expect(dataIn(it)).toEqual([1, 3, 4, 5, 6]);
    expect(sizesOf(it)).toEqual([1, 3, 1, 1, 1, 2]);
  });
});

describe('without a connection', () => {
  it('keeps messages, in order, and no more than it may', async () => {
    const it = world({ queueMax: 30 });
    const all = range(1, 32).map((n) => outcomeOf(it.client.publish(LOG, n)));
    await it.clock.advance(0);
    expect(all.slice(30).map(({ error }) => [error?.code, error?.temporary])).toEqual([
      ['queue_full', true],
      ['queue_full', true],
    ]);
    await it.clock.advance(500);
    expect(dataIn(it)).toEqual(range(1, 30));
    expect(outcomeOf(it.client.publish(LOG, 33)).error).toBeUndefined();
  });

  it('publishes a message once whose answer was lost with the connection', async () => {
    const it = await connected();
    it.server.onCommand = () => 'reply lost';
    const all = range(1, 3).map((n) => outcomeOf(it.client.publish(LOG, n)));
    await it.clock.advance(50);
    it.server.onCommand = () => undefined;
    it.server.socket.cut();
    await it.clock.advance(900 + 10 + 20);
    expect(dataIn(it)).toEqual([1, 2, 3]);
    expect(all.map(({ value }) => value?.messageId)).toEqual(
      [...it.server.log(LOG).entries.values()].map(({ messageId }) => messageId),
    );
    const [first, again] = it.server.commandsOf('publish');
    expect([first.key, again.messages[0].key]).toEqual(['key1', 'key1']);
  });

  it('does not let a message wait that has a connection again', async () => {
    const it = await connected();
    it.server.onCommand = () => 'lost';
    it.client.publish(LOG, 1);
    await it.clock.advance(50);
    it.server.onCommand = () => undefined;
    await it.clock.advance(1000);
    it.server.socket.cut();
    it.network.say('online');
    await it.clock.advance(40);
    expect(dataIn(it)).toEqual([1]);
  });

  it('gives up after a time, and says that the message may have been published', async () => {
    const it = world({ publishTimeoutMs: 40_000 }, (server) => {
      server.onConnect = () => 'refuse';
    });
    const late = outcomeOf(it.client.publish(LOG, 1));
    await it.clock.advance(39_999);
    expect(late).toEqual({});
    await it.clock.advance(1);
    expect(late.error).toMatchObject({ code: 'timeout', temporary: true });
    it.server.onConnect = () => 'open';
    await it.clock.advance(60_000);
    expect(dataIn(it)).toEqual([]);
  });

  it('sends again what may have been published, wanted or not: its result is', async () => {
    const it = await connected();
    it.server.onCommand = () => 'reply lost';
    const published = outcomeOf(it.client.publish(LOG, 1, { maxAge: 0.5 }));
    await it.clock.advance(50);
    it.server.onCommand = () => undefined;
    it.server.socket.cut();
    await it.clock.advance(2000);
    expect(published.value).toBeDefined();
  });

  it('does not send what nobody wants any more', async () => {
    const it = world({}, (server) => {
      server.onConnect = (_, attempt) => (attempt < 4 ? 'refuse' : 'open');
    });
    const stale = outcomeOf(it.client.publish(LOG, 1, { maxAge: 0.5 }));
    const good = outcomeOf(it.client.publish(LOG, 2, { maxAge: 60 }));
    await it.clock.advance(20_000);
    expect(stale.error?.code).toBe('timeout');
    expect(good.value).toBeDefined();
    expect(dataIn(it)).toEqual([2]);
  });
});

describe('a failure for a while', () => {
  it.each(['unavailable', 'internal'])(
    'of %s is tried again, later each time, and the order stays',
    async (error) => {
      const it = await connected();
      const triedAt: number[] = [];
      it.server.onCommand = () => {
        triedAt.push(it.clock.now());
        return triedAt.length < 5 ? { error } : undefined;
      };
      const all = range(1, 12).map((n) => outcomeOf(it.client.publish(LOG, n)));
      await it.clock.advance(30_000);
      expect(dataIn(it)).toEqual(range(1, 12));
      expect(all.every(({ value }) => value)).toBe(true);
      const waits = () => triedAt.slice(1, 5).map((at, index) => at - (triedAt[index] ?? 0) - 20);
      expect(waits()).toEqual([750, 1250, 2250, 4250]);
      triedAt.length = 0;
      it.client.publish(LOG, 13);
      await it.clock.advance(30_000);
      expect(waits()).toEqual([750, 1250, 2250, 4250]);
    },
  );

  it('that API Gateway does not name is tried again once it is clear that no answer comes', async () => {
    const it = await connected();
    let tries = 0;
    it.server.onCommand = () => (++tries === 1 ? 'gateway error' : undefined);
    const published = outcomeOf(it.client.publish(LOG, 1));
    await it.clock.advance(35_000);
    expect(published.value).toBeDefined();
    expect(dataIn(it)).toEqual([1]);
  });
});

describe('the answer to a publish', () => {
  it('says where the message is, on a topic that keeps history', async () => {
    const it = await connected();
    const published = [LOG, 'volatile'].map((topic) => outcomeOf(it.client.publish(topic, 1)));
    const stored = outcomeOf(it.client.publish(LOG, 2, { stored: true }));
    await it.clock.advance(100);
    const { epoch, entries } = it.server.log(LOG);
    expect(published[0]?.value).toEqual({ messageId: entries.get(1)?.messageId, epoch, offset: 1 });
    expect(published[1]?.value).toEqual({ messageId: expect.any(String) });
    expect(stored.value).toEqual({ messageId: entries.get(2)?.messageId, epoch, offset: 2 });
  });

  it('says it of each message of a batch', async () => {
    const it = await connected();
    it.server.onCommand = () => ({ replyAfterMs: 300 });
    const topics = [LOG, LOG, 'volatile', LOG];
    const all = topics.map((topic, n) => outcomeOf(it.client.publish(topic, n)));
    await it.clock.advance(1000);
    expect(sizesOf(it)).toEqual([1, 3]);
    expect(all.map(({ value }) => value?.offset)).toEqual([1, 2, undefined, 3]);
  });

  it('says if the message came too late to be stored', async () => {
    const it = await connected();
    const stored = outcomeOf(it.client.publish(LOG, 1, { stored: true, key: 'stale', version: 1 }));
    await it.clock.advance(100);
    expect(stored.value).toEqual({ messageId: expect.any(String), dropped: 'stale' });
  });

  it('is an error if it was to be stored and the topic keeps no history', async () => {
    const it = await connected();
    const stored = outcomeOf(it.client.publish('volatile', 1, { stored: true }));
    await it.clock.advance(100);
    expect(stored.error).toMatchObject({
      code: 'bad_request',
      message: 'expected a topic that keeps history, got one that does not; it was published',
    });
  });

  it('is the same when it comes on the next connection', async () => {
    const it = await connected();
    let tries = 0;
    it.server.onCommand = () => (++tries === 1 ? 'reply lost' : undefined);
    const stored = outcomeOf(it.client.publish(LOG, 1, { stored: true }));
    await it.clock.advance(100);
    it.server.socket.cut();
    await it.clock.advance(2000);
    expect(stored.value).toMatchObject({ offset: 1 });
    expect(dataIn(it)).toEqual([1]);
  });
});

describe('a server that takes less than API Gateway does', () => {
  const BYTES_MAX = 10_000;
  const small = async (code = 1009) => {
    const it = await connected();
    it.server.onCommand = (frame, socket) => {
      if (JSON.stringify(frame).length <= BYTES_MAX) return undefined;
      socket.cut(code);
      return 'lost';
    };
    return it;
  };

  it.each([
    [1009, 'too_large'],
    [1003, 'bad_request'],
  ])('and closes with %d is not sent the same again, and its publisher is told', async (code, error) => {
    const it = await small(code);
    const all = ['a', 'x'.repeat(BYTES_MAX), 'b'].map((data) => outcomeOf(it.client.publish(LOG, data)));
    await it.clock.advance(10_000);
    expect(all.map(({ error }) => error?.code)).toEqual([undefined, error, undefined]);
    expect(all[1]?.error).toMatchObject({
      temporary: false,
      message: `expected no end of the connection, got a close with ${code}`,
    });
    expect(dataIn(it)).toEqual(['a', 'b']);
    // Once with the other, and once alone.
    expect(it.server.sockets.length).toBe(3);
    expect(it.client.state).toBe('connected');
  });

  it('gets all that fits, and after a while as much at once as it takes', async () => {
    const it = await small();
    for (let n = 0; n < 20; n++) {
      for (const m of range(1, 10)) it.client.publish(LOG, `${n} ${m} ${'x'.repeat(3000)}`);
      await it.clock.advance(10_000);
    }
    expect(dataIn(it).length).toBe(200);
    expect(it.server.sockets.length).toBeLessThan(5);
    expect(Math.max(...sizesOf(it).slice(-5))).toBe(2);
  });

  it('is none for refusing messages that are too large for their namespace', async () => {
    const it = await connected();
    it.server.onCommand = (frame) =>
      JSON.stringify(frame).includes('too much') ? { error: 'too_large' } : undefined;
    for (let n = 0; n < 20; n++) {
      it.client.publish(LOG, 'alone');
      for (const data of ['too much', 'fits']) outcomeOf(it.client.publish(LOG, data));
      await it.clock.advance(1_000);
    }
    for (const _ of range(1, 11)) it.client.publish(LOG, 'x'.repeat(1_000));
    await it.clock.advance(1_000);
    expect(sizesOf(it).slice(-2)).toEqual([1, 10]);
  });

  it('blames the largest frame on its way, and no other', async () => {
    const it = await small();
    const sent = outcomeOf(it.client.send({ userId: 'a' }, 'x'.repeat(BYTES_MAX)));
    const published = outcomeOf(it.client.publish(LOG, 1));
    await it.clock.advance(5000);
    expect(sent.error).toMatchObject({ code: 'too_large', temporary: false });
    expect(published.value).toMatchObject({ offset: 1 });
  });
});
