import { BackEnd } from '../back-end.ts';
import { Client } from '../client.ts';
import { startSystem } from '../system.ts';
import { type Bench, median, percentile } from './bench.ts';

const SUBSCRIBERS = [10, 100, 1_000];
const WARM_UP_PUBLISHES = 20;
const PUBLISHES = 50;
const RUNS = 5;
const CONNECTS_IN_FLIGHT_MAX = 50;

async function connect(url: string, count: number, topic: string): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const batch = Math.min(CONNECTS_IN_FLIGHT_MAX, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => Client.open(url)))));
  }
  await Promise.all(clients.map((client) => client.subscribe(topic)));
  return clients;
}

/** Publishes `count` times and answers with the time of every delivery. */
async function publish(
  backEnd: BackEnd,
  clients: readonly Client[],
  topic: string,
  count: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const sentAt = performance.now();
    const data = { n, sentAt };
    const received = clients.map((client) =>
      client.message(data).then(() => times.push(performance.now() - sentAt)),
    );
    await backEnd.publish({ topic, data });
    await Promise.all(received);
    for (const client of clients) client.frames.length = 0;
  }
  return times;
}

async function measure(
  url: string,
  backEnd: BackEnd,
  subscribers: number,
): Promise<{ readonly [figure: string]: number }> {
  const topic = `bench/${subscribers}`;
  const clients = await connect(url, subscribers, topic);
  await publish(backEnd, clients, topic, WARM_UP_PUBLISHES);
  const runs: { rate: number; times: number[] }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now();
    const times = await publish(backEnd, clients, topic, PUBLISHES);
    runs.push({ rate: (times.length * 1000) / (performance.now() - startedAt), times });
  }
  await Promise.all(clients.map((client) => client.close()));
  return {
    subscribers,
    deliveriesPerSecond: Math.round(median(runs.map(({ rate }) => rate))),
    p50Ms: Number(median(runs.map(({ times }) => percentile(times, 0.5))).toFixed(1)),
    p99Ms: Number(median(runs.map(({ times }) => percentile(times, 0.99))).toFixed(1)),
  };
}

/** One publish in flight: the next goes out when everybody has received. */
export const bench: Bench = {
  title: 'The whole local system',
  async run() {
    const system = await startSystem();
    try {
      const backEnd = new BackEnd(system.ready);
      const rows = [];
      for (const subscribers of SUBSCRIBERS) {
        rows.push(await measure(system.ready.websocketUrl, backEnd, subscribers));
      }
      return { rows, targets: [] };
    } finally {
      await system.stop();
    }
  },
};
