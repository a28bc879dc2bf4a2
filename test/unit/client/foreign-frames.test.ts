import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { throwFrames } from './foreign-frames.ts';
import { connected, listen, outcomeOf } from './harness.ts';

const LOG = 'log/a';
const WHOLE = { messageId: 'm', publishedAt: '2026-01-01T00:00:00Z', publisher: {}, data: 1 };

describe('frames that Fanwire has not made', () => {
  it('neither throw, nor hang anything, nor settle a promise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const { faults, reported } = await throwFrames(seed, 1500);
        expect(faults).toEqual([]);
        expect(reported).toBeGreaterThan(1000);
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    ['no topic', { type: 'message', topic: null, data: 'hi' }],
    ['no shape', { type: 'message' }],
    ['a receipt of nothing', { type: 'receipt' }],
    ['a message that is no text', { message: { toString: 1 } }],
    ['nothing', {}],
    ['an epoch without an offset', { type: 'message', topic: LOG, epoch: 'e', ...WHOLE }],
    ['an offset without an epoch', { type: 'message', topic: LOG, offset: 1, ...WHOLE }],
    ['an offset below the first', { type: 'message', topic: LOG, epoch: 'e', offset: 0, ...WHOLE }],
    ['a time that is none', { type: 'message', topic: LOG, ...WHOLE, publishedAt: 'x' }],
    [
      'a receipt before the first offset',
      { type: 'receipt', messageId: 'm', topic: LOG, epoch: 'e', offset: 0 },
    ],
    [
      'a receipt of what is stored and dropped',
      { type: 'receipt', messageId: 'm', topic: LOG, epoch: 'e', offset: 1, dropped: 'stale' },
    ],
    [
      'a message with a topic of its own',
      { type: 'messages', topic: LOG, messages: [{ ...WHOLE, topic: 'log/b' }] },
    ],
    ['a topic of many segments', { type: 'message', topic: 'a/'.repeat(60_000), ...WHOLE }],
    ['a code of the client’s own', { type: 'error', code: 'closed', message: 'x' }],
    ['the name of a method for a type of ack', { type: 'ack', action: 'toString' }],
  ])('are reported: %s', async (_, frame) => {
    const { client, clock, server, errors, direct, states } = await connected();
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.socket.deliver(frame);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect(errors.map(({ code, cause }) => [code, cause])).toEqual([
      ['bad_frame', JSON.stringify(frame).slice(0, 1000)],
    ]);
    expect([data, direct, states.length]).toEqual([[1], [], 1]);
  });

  describe('that have no position, on a topic that keeps history,', () => {
    const unplaced = (data: unknown) => ({ ...WHOLE, messageId: `forged${data}`, data });

    it.each([
      ['in a frame of its own', { type: 'message', topic: LOG, ...unplaced(7) }],
      ['with others', { type: 'messages', topic: LOG, messages: [unplaced(7), unplaced(8)] }],
    ])('are reported, once, and reach no subscription: %s', async (_, frame) => {
      const { client, clock, server, errors } = await connected();
      const listeners = [LOG, LOG, 'log/*'].map((topic) => listen(client, topic));
      await clock.advance(50);
      server.publish(LOG, 1);
      server.socket.deliver(frame);
      server.publish(LOG, 2);
      await clock.advance(50);
      expect(listeners.map(({ data }) => data)).toEqual([
        [1, 2],
        [1, 2],
        [1, 2],
      ]);
      expect(errors).toMatchObject([
        { code: 'bad_frame', message: `expected a position of a message of ${LOG}, got none` },
      ]);
    });

    it('are none on a volatile topic, for the topic or a pattern, also if a topic beside it keeps history', async () => {
      const { client, clock, server, errors } = await connected();
      const [topic, pattern] = ['live/a', 'live/*', LOG].map((it) => listen(client, it));
      await clock.advance(50);
      server.publish(LOG, 1);
      server.publish('live/a', 2);
      await clock.advance(50);
      expect([topic?.data, pattern?.data, errors]).toEqual([[2], [2], []]);
    });

    it('are none once the topic keeps no history any more', async () => {
      const { client, clock, server, errors } = await connected();
      const { data } = listen(client, LOG);
      await clock.advance(50);
      server.publish(LOG, 1);
      await clock.advance(50);
      server.onCommand = ({ action, id, topic }, socket) => {
        if (action !== 'subscribe') return undefined;
        socket.deliver({ type: 'ack', id, action, topic });
        socket.deliver({ type: 'message', topic, ...unplaced(2) });
        return 'lost';
      };
      server.socket.cut();
      await clock.advance(20_000);
      expect([data, errors]).toEqual([[1, 2], []]);
    });
  });

  it.each([
    ['another topic', { action: 'history', topic: 'log/b', epoch: 'e', offset: 0 }],
    ['another action', { action: 'ping' }],
    ['no topic', { action: 'history', epoch: 'e', offset: 0 }],
    ['half a position', { action: 'history', topic: LOG, epoch: 'e' }],
    ['a page that is no list', { action: 'history', topic: LOG, epoch: 'e', offset: 0, messages: {} }],
  ])('are no answer: %s', async (_, ack) => {
    const { client, clock, server, errors } = await connected();
    server.onCommand = ({ id }, socket) => {
      socket.deliver({ type: 'ack', id, ...ack });
      return { replyAfterMs: 1000 };
    };
    const page = outcomeOf(client.history(LOG));
    await clock.advance(500);
    expect(errors).toMatchObject([{ code: 'bad_frame' }]);
    expect(page).toEqual({});
    await clock.advance(1000);
    expect(page.value).toMatchObject({ messages: [], offset: 0 });
  });

  it.each(['subscribe', 'history'])(
    'are no answer: that what was missed is lost, with messages, to a %s',
    async (asked) => {
      const { client, clock, server, errors } = await connected();
      server.publishMany(LOG, 1, 2);
      const { epoch } = server.log(LOG);
      server.onCommand = ({ id, action, topic }, socket) => {
        const lost = { epoch, offset: 2, recovered: false, reason: 'trimmed' };
        const messages = [{ ...WHOLE, data: 'forged', offset: 2 }];
        if (action === asked) socket.deliver({ type: 'ack', id, action, topic, ...lost, messages });
        return { replyAfterMs: 100 };
      };
      const position = { epoch, offset: 0 };
      const { data, recoveries } = listen(client, LOG, { position });
      const page = outcomeOf(client.history(LOG, { after: position }));
      await clock.advance(1000);
      expect(errors).toMatchObject([{ code: 'bad_frame' }]);
      expect(data).toEqual([1, 2]);
      expect(recoveries).toMatchObject([{ recovered: true }]);
      expect(page.value?.messages.map((message) => message.data)).toEqual([1, 2]);
    },
  );

  it.each([
    ['an offset before the first', { epoch: 'e', offset: 0 }],
    ['an epoch without an offset', { epoch: 'e' }],
    ['a place, and that there is none', { epoch: 'e', offset: 1, dropped: 'stale' }],
  ])('are no answer to a publish: %s', async (_, place) => {
    const { client, clock, server, errors } = await connected();
    server.onCommand = ({ id }, socket) => {
      socket.deliver({ type: 'ack', id, action: 'publish', messageId: 'forged', ...place });
      return { replyAfterMs: 1000 };
    };
    const published = outcomeOf(client.publish(LOG, 1));
    await clock.advance(2000);
    expect(errors).toMatchObject([{ code: 'bad_frame' }]);
    expect(published.value).toMatchObject({ messageId: 'm2', offset: 1 });
  });

  it('but a reason that is not known yet is one', async () => {
    const { client, clock, server } = await connected();
    server.onCommand = ({ id }, socket) => {
      socket.deliver({ type: 'ack', id, action: 'publish', messageId: 'm', dropped: 'spam' });
      return 'lost';
    };
    const published = outcomeOf(client.publish(LOG, 1, { stored: true }));
    await clock.advance(50);
    expect(published.value).toEqual({ messageId: 'm', dropped: 'spam' });
  });

  it('are no answer to three publishes, if they name two', async () => {
    const { client, clock, server, errors } = await connected();
    server.onCommand = ({ id, messages }, socket) => {
      if (messages) socket.deliver({ type: 'ack', id, action: 'publish', messageIds: ['a', 'b'] });
      return { replyAfterMs: 1000 };
    };
    const all = [0, 1, 2, 3].map((data) => outcomeOf(client.publish(LOG, data)));
    await clock.advance(3000);
    expect(errors).toMatchObject([{ code: 'bad_frame' }]);
    expect(all.map(({ value }) => value?.offset)).toEqual([1, 2, 3, 4]);
  });

  it('do not make a subscription ask for ever for an offset that the server does not have', async () => {
    const { client, clock, server } = await connected();
    const { sub, data, recoveries } = listen(client, LOG);
    await clock.advance(50);
    const { epoch } = server.log(LOG);
    const offset = Number.MAX_SAFE_INTEGER;
    server.socket.deliver({ type: 'message', topic: LOG, epoch, offset, skipped: true });
    await clock.advance(60_000);
    const asked = server.commandsOf('history').length;
    await clock.advance(600_000);
    expect(server.commandsOf('history').length).toBe(asked);
    server.publish(LOG, 1);
    await clock.advance(50);
    expect([data, recoveries, sub.position?.offset]).toEqual([[1], [], 1]);
  });

  it('do not take what comes while the server is asked for something that is not there', async () => {
    const { client, clock, server } = await connected({ gapMs: 20_000 });
    const { data } = listen(client, LOG);
    await clock.advance(50);
    server.onCommand = ({ action }) => {
      if (action !== 'ping') return undefined;
      server.onCommand = () => undefined;
      // Its answer is older than the message with offset 2, which overtakes it.
      server.onLive = ({ offset }) => (offset === 1 ? { afterMs: 5000 } : undefined);
      clock.setTimeout(() => server.publishMany(LOG, 1, 2), 1);
      return { replyAfterMs: 100 };
    };
    await clock.advance(40_000);
    expect([data, server.commandsOf('history')]).toEqual([[1, 2], []]);
  });
});
