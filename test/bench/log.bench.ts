import type { TableUsage, Usage } from '../../infra/local/meter/meter.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { type Bench, round } from './bench.ts';
import { Subscriber } from './subscriber.ts';

const TOPIC = 'chat/bench';
/** Of 200 bytes. */
const MESSAGES_PER_FRAME = [1, 10];
const FRAMES_IN_FLIGHT = 16;
const WARM_UP_FRAMES = 100;
const FRAMES = 400;

/** Publishes so many frames, and waits until a subscriber has all their messages; answers with messages a second. */
async function publish(clients: readonly Client[], subscriber: Subscriber, frames: number, size: number) {
  let received = 0;
  subscriber.onText = (frame) => {
    const { messages = [0] } = JSON.parse(String(frame));
    received += messages.length;
  };
  const message = { topic: TOPIC, data: 'x'.repeat(200) };
  const startedAt = performance.now();
  let sent = 0;
  const publishAll = async (client: Client) => {
    while (sent++ < frames) {
      await client.ask({ action: 'publish', messages: Array.from({ length: size }, () => message) });
    }
  };
  await Promise.all(clients.map(publishAll));
  await until(() => received >= frames * size);
  return (frames * size * 1_000) / (performance.now() - startedAt);
}

async function usageOf({ ready }: System): Promise<Usage> {
  return (await (await fetch(`${ready.endpoint}/_fanwire/usage`)).json()) as Usage;
}

/** Write requests of one operation. */
const writesOf = (usage: Usage, table: string, operation: string): number => {
  const { requests = 0 }: Partial<TableUsage> = usage.tables[table]?.[operation] ?? {};
  return requests;
};

/** How many messages one topic with history takes here, and how many writes to its head and to the log they cost. */
export const bench: Bench = {
  title: 'The log: messages to one topic with history',
  async run() {
    const system = await startSystem({ unthrottled: true });
    try {
      const { websocketUrl } = system.ready;
      const clients = await Promise.all(
        Array.from({ length: FRAMES_IN_FLIGHT }, () => Client.open(websocketUrl)),
      );
      const subscriber = await Subscriber.open(websocketUrl);
      const answered = Promise.withResolvers<unknown>();
      subscriber.onText = answered.resolve;
      subscriber.send(JSON.stringify({ action: 'subscribe', topic: TOPIC }));
      await answered.promise;
      const rows = [];
      for (const size of MESSAGES_PER_FRAME) {
        await publish(clients, subscriber, WARM_UP_FRAMES, size);
        const before = await usageOf(system);
        const perSecond = await publish(clients, subscriber, FRAMES, size);
        const after = await usageOf(system);
        const writes = (table: string, operation: string) =>
          round(
            (writesOf(after, table, operation) - writesOf(before, table, operation)) / (FRAMES * size),
            2,
          );
        rows.push({
          'messages a frame': size,
          'messages a second': round(perSecond),
          // The schedule of posts is in the same table: a lease for many of them is one write.
          'writes to the head a message': writes('topics', 'UpdateItem'),
          'writes to the log a message': writes('messages', 'PutItem'),
        });
      }
      subscriber.close();
      return {
        rows,
        targets: [
          {
            name: 'writes to the head of a log a message, ten a frame',
            value: rows.at(-1)?.['writes to the head a message'] ?? Number.NaN,
            atMost: 0.3,
          },
        ],
      };
    } finally {
      await system.stop();
    }
  },
};
