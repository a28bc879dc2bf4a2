import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { BackEnd } from '../back-end.ts';
import { Client } from '../client.ts';
import { startSystem } from '../system.ts';

/**
 * The whole local system, one publish in flight: the next goes out when everybody has received. Prints deliveries/s
 * and publish-to-receive times; absolute figures hold for the machine they were taken on only.
 */
const SUBSCRIBERS = [10, 100, 1_000];
const WARM_UP_PUBLISHES = 20;
const PUBLISHES = 50;
const RUNS = 5;
const CONNECTS_IN_FLIGHT_MAX = 50;

interface Row {
  readonly subscribers: number;
  readonly deliveriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const median = (values: readonly number[]): number => percentile(values, 0.5);
const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? Number.NaN;

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

async function measure(url: string, backEnd: BackEnd, subscribers: number): Promise<Row> {
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

const system = await startSystem();
try {
  const backEnd = new BackEnd(system.ready);
  const rows: Row[] = [];
  for (const subscribers of SUBSCRIBERS) {
    rows.push(await measure(system.ready.websocketUrl, backEnd, subscribers));
  }
  console.table(rows);
  mkdirSync('test-results', { recursive: true });
  const machine = { node: process.version, cores: availableParallelism() };
  writeFileSync(
    'test-results/bench.json',
    JSON.stringify({ date: new Date().toISOString(), machine, rows }, undefined, 2),
  );
} finally {
  await system.stop();
}
