import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../infra/local/faults/random.ts';
import type { Usage } from '../../infra/local/meter/meter.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { type Bench, percentile, type Row, round } from './bench.ts';
import { Subscriber } from './subscriber.ts';

const GATHERING = join(import.meta.dirname, 'gathering.ts');
const SYSTEMS = [
  { name: 'this machine', options: {} },
  { name: 'as on AWS', options: { latency: 'aws' } },
  { name: 'as on AWS, window 1 s', options: { latency: 'aws', app: GATHERING } },
] as const;
const TOPICS = { volatile: 'bench', history: 'chat/bench' } as const;
const RATES = [16, 32];
const SUBSCRIBERS = 10;
/** Enough for the fan-out to have all the environments that it needs. */
const WARM_UP_MESSAGES = 150;
const MESSAGES = 400;
const SEED = 1;

/** What each message of a stream took, in milliseconds. */
interface Stream {
  readonly acked: number[];
  /** One for each subscriber. */
  readonly received: number[];
}

/** Publishes so many messages at random times, so many a second, and waits until everybody has them. */
async function publish(
  publisher: Client,
  subscribers: readonly Subscriber[],
  topic: string,
  { count, perSecond }: { readonly count: number; readonly perSecond: number },
): Promise<Stream> {
  const random = createRandom(SEED);
  const sentAt = new Map<number, number>();
  const acked: number[] = [];
  const received: number[] = [];
  for (const subscriber of subscribers) {
    subscriber.onText = (frame) => {
      const { data, messages = [{ data }] } = JSON.parse(String(frame));
      for (const message of messages) received.push(performance.now() - (sentAt.get(message.data) ?? 0));
    };
  }
  let dueAt = performance.now();
  for (let n = 0; n < count; n++) {
    dueAt += (-Math.log(1 - random()) * 1_000) / perSecond;
    await delay(Math.max(0, dueAt - performance.now()));
    const startedAt = performance.now();
    sentAt.set(n, startedAt);
    void publisher.ask({ action: 'publish', topic, data: n }).then(() => {
      acked.push(performance.now() - startedAt);
    });
  }
  await until(() => received.length >= count * subscribers.length && acked.length >= count);
  return { acked, received };
}

async function usageOf({ ready }: System): Promise<Usage> {
  return (await (await fetch(`${ready.endpoint}/_fanwire/usage`)).json()) as Usage;
}

async function measure(system: System, name: string): Promise<Row[]> {
  const { websocketUrl } = system.ready;
  const rows: Row[] = [];
  for (const [kind, topic] of Object.entries(TOPICS)) {
    const publisher = await Client.open(websocketUrl);
    const subscribers = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, async () => {
        const subscriber = await Subscriber.open(websocketUrl);
        const answered = Promise.withResolvers<unknown>();
        subscriber.onText = answered.resolve;
        subscriber.send(JSON.stringify({ action: 'subscribe', topic }));
        await answered.promise;
        return subscriber;
      }),
    );
    await publish(publisher, subscribers, topic, { count: WARM_UP_MESSAGES, perSecond: RATES.at(-1) ?? 1 });
    for (const perSecond of RATES) {
      const before = await usageOf(system);
      const { acked, received } = await publish(publisher, subscribers, topic, {
        count: MESSAGES,
        perSecond,
      });
      const after = await usageOf(system);
      const invocations =
        (after.functions.fanout?.invocations ?? 0) - (before.functions.fanout?.invocations ?? 0);
      rows.push({
        system: name,
        topic: kind,
        'a second': perSecond,
        'acked p50': round(percentile(acked, 0.5)),
        'acked p99': round(percentile(acked, 0.99)),
        'received p50': round(percentile(received, 0.5)),
        'received p99': round(percentile(received, 0.99)),
        'messages an invocation': round(MESSAGES / invocations, 2),
      });
    }
    for (const subscriber of subscribers) subscriber.close();
    await publisher.close();
  }
  return rows;
}

/** A stream of messages to ten subscribers: how long each takes, and how many a fan-out invocation gets. */
export const bench: Bench = {
  title: 'A stream: latencies, and messages an invocation',
  async run() {
    const rows: Row[] = [];
    for (const { name, options } of SYSTEMS) {
      const system = await startSystem(options);
      try {
        rows.push(...(await measure(system, name)));
      } finally {
        await system.stop();
      }
    }
    return { rows, targets: [] };
  },
};
