import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';

let local: Runtime;
let backEnd: BackEnd;

beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/namespaces.ts' });
  backEnd = new BackEnd(local.ready);
});
afterAll(() => local?.stop());

const open = () => Client.open(local.ready.websocketUrl);
const topicIn = (namespace: string) => `${namespace}/${randomUUID()}`;
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const dataOf = (reply: { messages?: { data: unknown }[] }) => (reply.messages ?? []).map(({ data }) => data);

/** Publishes 1, 2, 3, … in this order and waits until they are stored. */
async function publishNumbers(client: Client, topic: string, to: number, from = 1): Promise<void> {
  for (let next = from; next <= to; next += 10) {
    const messages = numbers(next, Math.min(to, next + 9)).map((data) => ({ topic, data, receipt: true }));
    const { id } = await client.ask({ action: 'publish', messages });
    for (const { data } of messages) {
      await client.wait((frame) => frame.type === 'receipt' && frame.id === id && frame.offset === data);
    }
  }
}

describe('a topic that keeps history', () => {
  it('numbers its messages from 1, the same for everybody', async () => {
    const [anna, ben] = [await open(), await open()];
    const topic = topicIn('chat');
    for (const client of [anna, ben]) {
      const reply = await client.ask({ action: 'subscribe', topic });
      expect(reply).toMatchObject({ type: 'ack', topic, offset: 0, epoch: expect.stringMatching(/^new-/) });
    }
    await publishNumbers(anna, topic, 12);
    const { epoch } = await anna.ask({ action: 'history', topic });
    for (const client of [anna, ben]) {
      await client.message(12);
      const offsets = client.messages.map(({ offset, data, epoch }) => [offset, data, epoch]);
      expect(offsets.sort(([a], [b]) => a - b)).toEqual(numbers(1, 12).map((n) => [n, n, epoch]));
    }
    await Promise.all([anna.close(), ben.close()]);
  });

  it('replays the newest messages on a rewind', async () => {
    const client = await open();
    const topic = topicIn('chat');
    await publishNumbers(client, topic, 15);
    const subscribe = (rewind: unknown) => client.ask({ action: 'subscribe', topic, rewind });
    const byCount = await subscribe(10);
    expect([dataOf(byCount), byCount.offset, byCount.more]).toEqual([numbers(6, 15), 15, undefined]);
    expect(dataOf(await subscribe(300))).toEqual(numbers(1, 15));
    expect(dataOf(await subscribe({ seconds: 60 }))).toEqual(numbers(1, 15));
    await client.close();
  });

  it('sends a replay that does not fit one reply in pages', async () => {
    const client = await open();
    const topic = topicIn('chat');
    const large = (n: number) => ({ n, filling: 'x'.repeat(20_000) });
    // One after the other is stored: what was not would come live, and not with the replay.
    for (const data of [...numbers(1, 12).map(large), 'end']) {
      const { id } = await client.ask({ action: 'publish', topic, data, receipt: true });
      await client.wait((frame) => frame.type === 'receipt' && frame.id === id);
    }
    const first = await client.ask({ action: 'subscribe', topic, rewind: 300 });
    const offsets = (first.messages as { offset: number }[]).map((message) => message.offset);
    let page = first;
    while (page.more) {
      page = await client.ask({
        action: 'history',
        topic,
        limit: 100,
        after: { epoch: page.epoch, offset: page.offset },
      });
      expect(page.recovered).toBe(true);
      offsets.push(...(page.messages as { offset: number }[]).map((message) => message.offset));
    }
    expect(first.more).toBe(true);
    expect(offsets).toEqual(numbers(1, 13));
    await client.close();
  });

  it('gives what came after a position, or says why it cannot', async () => {
    const client = await open();
    const topic = topicIn('short');
    const { epoch } = await client.ask({ action: 'subscribe', topic });
    await publishNumbers(client, topic, 12);
    const recover = (position: object) => client.ask({ action: 'subscribe', topic, position });
    const back = await recover({ epoch, offset: 7 });
    expect([back.recovered, dataOf(back), back.offset]).toEqual([true, numbers(8, 12), 12]);
    expect(await recover({ epoch, offset: 12 })).toMatchObject({ recovered: true, offset: 12 });
    for (const [position, reason] of [
      [{ epoch, offset: 6 }, 'trimmed'],
      [{ epoch, offset: 13 }, 'unknown_position'],
      [{ epoch: 'another', offset: 7 }, 'epoch'],
    ] as const) {
      const lost = await recover(position);
      expect([lost.recovered, lost.reason, lost.messages, lost.offset]).toEqual([
        false,
        reason,
        undefined,
        12,
      ]);
    }
    await client.close();
  });

  it('gives nothing that is older than its time', async () => {
    const client = await open();
    const topic = topicIn('brief');
    const { epoch } = await client.ask({ action: 'subscribe', topic });
    await publishNumbers(client, topic, 3);
    const recover = () => client.ask({ action: 'subscribe', topic, position: { epoch, offset: 1 } });
    const tooLate = async (): Promise<unknown> => {
      const reply = await recover();
      return reply.recovered ? tooLate() : reply;
    };
    expect(await tooLate()).toMatchObject({ recovered: false, reason: 'trimmed', offset: 3 });
    expect(await client.ask({ action: 'history', topic })).not.toHaveProperty('messages');
    await client.close();
  });

  it('is read forward and backward, in pages', async () => {
    const client = await open();
    const topic = topicIn('chat');
    await publishNumbers(client, topic, 25);
    const pages = async (fields: object, next: (page: { epoch: string; offset: number }) => object) => {
      const read: unknown[][] = [];
      let page = await client.ask({ action: 'history', topic, limit: 10, ...fields });
      for (; ; page = await client.ask({ action: 'history', topic, limit: 10, ...fields, ...next(page) })) {
        read.push(dataOf(page));
        if (!page.more) return read;
      }
    };
    expect(await pages({}, ({ epoch, offset }) => ({ after: { epoch, offset } }))).toEqual([
      numbers(1, 10),
      numbers(11, 20),
      numbers(21, 25),
    ]);
    expect(await pages({ reverse: true }, ({ offset }) => ({ before: offset }))).toEqual([
      numbers(16, 25).reverse(),
      numbers(6, 15).reverse(),
      numbers(1, 5).reverse(),
    ]);
    await client.close();
  });

  it('takes the same key of one client on ten connections as one message', async () => {
    const clients = await Promise.all(numbers(1, 10).map(open));
    const topic = topicIn('chat');
    const [listener] = clients as [Client];
    await listener.subscribe(topic);
    const message = { topic, data: 'once', key: 'k', family: randomUUID(), receipt: true };
    await Promise.all(
      clients.flatMap((client) =>
        numbers(1, 10).map((n) => client.ask({ action: 'publish', ...message, id: `r${n}` })),
      ),
    );
    const receipts = await Promise.all(
      clients.map(async (client) => {
        await client.wait(() => client.frames.filter(({ type }) => type === 'receipt').length >= 10);
        return client.frames.filter(({ type }) => type === 'receipt').map(({ offset }) => offset);
      }),
    );
    expect(new Set(receipts.flat()).size).toBe(1);
    const { messages } = await listener.ask({ action: 'history', topic });
    expect(messages).toHaveLength(1);
    await listener.message('once');
    expect(new Set(listener.messages.map(({ offset }) => offset)).size).toBe(1);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('keeps no message away because a stranger has used its key', async () => {
    const [stranger, client] = await Promise.all([open(), open()]);
    for (const topic of [topicIn('chat'), topicIn('live')]) {
      await client.subscribe(topic);
      const [forged, own, ofBackEnd] = ['forged', 'own', 'of a back end'].map((what) => `${what} ${topic}`);
      const key = 'order-42-shipped';
      await stranger.ask({ action: 'publish', topic, data: forged, key });
      await client.ask({ action: 'publish', topic, data: own, key });
      await backEnd.publish({ topic, data: ofBackEnd, key });
      await Promise.all([forged, own, ofBackEnd].map((data) => client.message(data)));
      const ids = client.messages.filter((each) => each.topic === topic).map(({ messageId }) => messageId);
      expect(new Set(ids).size).toBe(3);
    }
    await Promise.all([stranger.close(), client.close()]);
  });

  it('drops a message whose version is not above all before it, and says so', async () => {
    const client = await open();
    const topic = topicIn('chat');
    const publish = async (version: number, data: string) => {
      const { id } = await client.ask({ action: 'publish', topic, data, version, receipt: true });
      return client.wait((frame) => frame.type === 'receipt' && frame.id === id);
    };
    expect(await publish(5, 'five')).toMatchObject({ offset: 1 });
    expect(await publish(5, 'five again')).toMatchObject({ dropped: 'stale' });
    expect(await publish(4, 'four')).toMatchObject({ dropped: 'stale' });
    expect(await publish(6, 'six')).toMatchObject({ offset: 2 });
    expect(dataOf(await client.ask({ action: 'history', topic }))).toEqual(['five', 'six']);
    await client.close();
  });

  it('tells who is left out of a message that there is one, and gives it to nobody of them later', async () => {
    const [anna, ben] = [await open(), await open()];
    const topic = topicIn('chat');
    await Promise.all([anna.subscribe(topic), ben.subscribe(topic)]);
    await anna.ask({ action: 'publish', topic, data: 'from Anna', except: 'self' });
    await ben.message('from Anna');
    const { epoch } = await anna.ask({ action: 'history', topic });
    expect(await anna.wait(({ skipped }) => skipped)).toEqual({
      type: 'message',
      topic,
      epoch,
      offset: 1,
      skipped: true,
    });
    expect(dataOf(await anna.ask({ action: 'history', topic }))).toEqual([]);
    expect(dataOf(await ben.ask({ action: 'history', topic }))).toEqual(['from Anna']);
    await Promise.all([anna.close(), ben.close()]);
  });

  it('says on a ping which positions are behind', async () => {
    const client = await open();
    const topic = topicIn('chat');
    const early = await client.ask({ action: 'subscribe', topic });
    await publishNumbers(client, topic, 3);
    const { epoch } = await client.ask({ action: 'history', topic });
    const ask = (positions: object[]) => client.ask({ action: 'ping', positions });
    expect((await ask([{ topic, epoch: early.epoch, offset: 0 }])).behind).toEqual([
      { topic, epoch, offset: 3 },
    ]);
    const ping = (offset: number) => ask([{ topic, epoch, offset }]);
    expect((await ping(2)).behind).toEqual([{ topic, epoch, offset: 3 }]);
    expect(await ping(3)).toEqual({ type: 'ack', id: expect.any(String), action: 'ping' });
    await client.close();
  });
});

describe('a namespace', () => {
  it('gives new subscribers the last value', async () => {
    const client = await open();
    const topic = topicIn('state');
    expect(await client.ask({ action: 'subscribe', topic })).toMatchObject({ offset: 0 });
    await publishNumbers(client, topic, 3);
    const reply = await client.ask({ action: 'subscribe', topic });
    expect([dataOf(reply), reply.offset]).toEqual([[3], 3]);
    await client.close();
  });

  it('keeps clients from publishing, from wildcards and from recovering', async () => {
    const client = await open();
    const topic = topicIn('news');
    expect(await client.ask({ action: 'publish', topic, data: 1 })).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ action: 'subscribe', topic: 'news/*' })).toMatchObject({ code: 'forbidden' });
    await client.subscribe(topic);
    await backEnd.publish({ topic, data: 'from the back end' });
    const { epoch } = await client.message('from the back end');
    const reply = await client.ask({ action: 'subscribe', topic, position: { epoch, offset: 0 } });
    expect([reply.recovered, reply.reason]).toEqual([false, 'recovery_off']);
    await client.close();
  });

  it('limits the data of a message', async () => {
    const client = await open();
    const reply = await client.ask({ action: 'publish', topic: 'small/a', data: 'x'.repeat(9) });
    expect(reply).toMatchObject({ code: 'too_large', message: expect.stringContaining('at most 10 bytes') });
    await client.close();
  });
});

describe('a volatile topic', () => {
  it('has neither offsets nor history', async () => {
    const client = await open();
    const ack = await client.ask({
      action: 'subscribe',
      topic: 'quick',
      position: { epoch: 'e', offset: 1 },
    });
    expect([ack.recovered, ack.reason, ack.offset]).toEqual([false, 'no_history', undefined]);
    await client.ask({ action: 'publish', topic: 'quick', data: 'volatile' });
    expect(await client.message('volatile')).not.toHaveProperty('offset');
    for (const command of [
      { action: 'history', topic: 'quick' },
      { action: 'subscribe', topic: 'quick', rewind: 3 },
      { action: 'subscribe', topic: 'chat/*', rewind: 3 },
      { action: 'publish', topic: 'quick', data: 1, receipt: true },
      { action: 'publish', topic: 'quick', data: 1, version: 1 },
    ]) {
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'bad_request' });
    }
    await client.close();
  });
});
