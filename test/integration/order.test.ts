import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal } from '../support/local.ts';
import { until } from '../support/until.ts';

let local: Runtime;
let faults: Faults;
let backEnd: BackEnd;

beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/namespaces.ts', faults: NO_FAULTS });
  faults = new Faults(local.ready);
  backEnd = new BackEnd(local.ready);
});
afterEach(() => faults.clear());
afterAll(() => local?.stop());

const open = () => Client.open(local.ready.websocketUrl);
const newTopic = () => `chat/${randomUUID()}`;
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
/** As on AWS, an event that was put on the bus first may come last. */
const reorder = () => faults.set({ faults: [{ on: 'bus', effect: 'delay', delayMs: [0, 150] }] });
/** By offset, what a client got, each offset once. */
const received = (client: Client) =>
  [...new Map(client.messages.map(({ offset, data }) => [offset, data]))].sort(([a], [b]) => a - b);

describe('on a topic with history, under a bus that keeps no order', () => {
  it('what a publisher sends after an acknowledgement comes after what was acknowledged', async () => {
    const [reader, ...publishers] = await Promise.all([open(), open(), open()]);
    const topic = newTopic();
    await reader.subscribe(topic);
    await reorder();
    const acknowledged = await Promise.all(
      publishers.map(async (publisher, who) => {
        const offsets: number[] = [];
        for (const n of numbers(40)) {
          const reply = await publisher.ask({ action: 'publish', topic, data: { who, n } });
          expect(reply).toMatchObject({ type: 'ack', epoch: expect.any(String) });
          offsets.push(reply.offset);
        }
        return offsets;
      }),
    );
    await until(() => received(reader).length === 80);
    for (const [who, offsets] of acknowledged.entries()) {
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      const own = received(reader).filter(([, data]) => data.who === who);
      // It is where the acknowledgement said.
      expect(own).toEqual(offsets.map((offset, index) => [offset, { who, n: index + 1 }]));
    }
    const [busDelayed = 0] = await faults.strikes();
    expect(busDelayed).toBeGreaterThan(0);
    await Promise.all([reader, ...publishers].map((client) => client.close()));
  });

  it('the messages of one frame and of one event keep their order', async () => {
    const client = await open();
    const topic = newTopic();
    await client.subscribe(topic);
    await reorder();
    for (const [batch, from] of [0, 20, 40].entries()) {
      const messages = numbers(10).map((n) => ({ topic, data: from + n, key: `${batch}-${n}` }));
      const { places } = await client.ask({ action: 'publish', messages });
      expect(places.map(({ offset }: { offset: number }) => offset)).toEqual(
        numbers(10).map((n) => from + n),
      );
      await backEnd.publish({ topic, messages: numbers(10).map((n) => ({ data: from + 10 + n })) });
      await until(() => received(client).length === from + 20);
    }
    expect(received(client)).toEqual(numbers(60).map((n) => [n, n]));
    await client.close();
  });

  it('a message that is published again with its key is delivered once', async () => {
    const [reader, publisher] = await Promise.all([open(), open()]);
    const topic = newTopic();
    await reader.subscribe(topic);
    const replies = await Promise.all(
      numbers(8).map((n) => publisher.ask({ action: 'publish', topic, data: n, key: 'k' })),
    );
    const [{ offset }] = replies;
    expect(replies.map((reply) => reply.offset)).toEqual(Array(8).fill(offset));
    await publisher.ask({ action: 'publish', topic, data: 'last' });
    await reader.message('last');
    await until(async () => (await backEnd.depth('ingest')) === 0);
    expect(reader.messages.filter((message) => message.offset === offset)).toHaveLength(1);
    await Promise.all([reader.close(), publisher.close()]);
  });
});
