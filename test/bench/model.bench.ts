import { createRandom } from '../../infra/local/faults/random.ts';
import { simulateDelivery } from '../../infra/model/delivery.ts';
import { createDice } from '../../infra/model/dice.ts';
import { localParameters, type Parameters } from '../../infra/model/parameters.ts';
import { chunks } from '../../shared/async.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { startSystem } from '../support/system.ts';
import { type Bench, median, percentile, type Row, round, type Target } from './bench.ts';

/** The model is told what these took, and has to say what the others will. */
const CALIBRATED_WITH = { one: 1, inline: [200, 600], job: [1_100, 1_500] } as const;
const PREDICTED = [400, 900, 1_300];
const SUBSCRIBERS_MAX = 1_500;
const CONNECTS_IN_FLIGHT_MAX = 50;
const WARM_UP_PUBLISHES = 10;
const PUBLISHES = 8;
const ROUNDS = 4;
const DATA = 'x'.repeat(200);
/** Of what is measured, above and below. */
const TOLERANCE = 0.3;

interface Times {
  readonly p50Ms: number;
  readonly lastMs: number;
}

async function connect(url: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const more = Math.min(CONNECTS_IN_FLIGHT_MAX, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: more }, () => Client.open(url)))));
  }
  return clients;
}

/** One publish after the other: of each the median delivery and the last. */
async function publish(backEnd: BackEnd, clients: readonly Client[], count: number): Promise<Times[]> {
  const publishes: Times[] = [];
  for (let n = 0; n < count; n++) {
    const data = `${n} ${DATA}`;
    const publishedAt = performance.now();
    const received = clients.map(async (client) => {
      await client.message(data);
      return performance.now() - publishedAt;
    });
    await backEnd.publish({ topic: topicOf(clients), data });
    const times = await Promise.all(received);
    for (const client of clients) client.frames.length = 0;
    publishes.push({ p50Ms: median(times), lastMs: percentile(times, 1) });
  }
  return publishes;
}

const topicOf = (clients: readonly Client[]): string => `model/${clients.length}`;

/**
 * By number of subscribers, the quicker quarter of several rounds through all of them: whatever else the machine does
 * makes single publishes slower, and none quicker.
 */
async function measure(backEnd: BackEnd, clients: readonly Client[]): Promise<Map<number, Times>> {
  const sizes = [...Object.values(CALIBRATED_WITH).flat(), ...PREDICTED];
  const publishes = new Map(sizes.map((size) => [size, [] as Times[]]));
  for (const size of sizes) {
    const some = clients.slice(0, size);
    for (const few of chunks(some, CONNECTS_IN_FLIGHT_MAX)) {
      await Promise.all(few.map((client) => client.subscribe(topicOf(some))));
    }
    await publish(backEnd, some, WARM_UP_PUBLISHES);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [size, times] of publishes) {
      times.push(...(await publish(backEnd, clients.slice(0, size), PUBLISHES)));
    }
  }
  return new Map(
    [...publishes].map(([size, times]) => [
      size,
      { p50Ms: quick(times.map(({ p50Ms }) => p50Ms)), lastMs: quick(times.map(({ lastMs }) => lastMs)) },
    ]),
  );
}

const quick = (times: readonly number[]): number => percentile(times, 0.25);

/** The path that every message takes, what a post adds to it, and what going by a job does. */
function calibrate(lastMsOf: (subscribers: number) => number): Parameters {
  const { one, inline, job } = CALIBRATED_WITH;
  const slope = ([few, many]: readonly [number, number]) => (lastMsOf(many) - lastMsOf(few)) / (many - few);
  const msPerPost = Math.max(0.001, (slope(inline) + slope(job)) / 2);
  const extraMs = (subscribers: number) =>
    lastMsOf(subscribers) - lastMsOf(one) - (subscribers - one) * msPerPost;
  const hopMs = Math.max(0, (extraMs(job[0]) + extraMs(job[1])) / 2);
  return localParameters({
    // The first hop is on everybody's path, and so in what one subscriber takes.
    ...{ pathMs: lastMsOf(one) - hopMs, hopMs, postMs: 0, postsPerSecond: 1_000 / msPerPost },
  });
}

function predict(subscribers: number, parameters: Parameters): Times {
  const dice = createDice(createRandom(1));
  const times = [...simulateDelivery(subscribers, parameters, dice).receivedAtMs];
  return { p50Ms: median(times), lastMs: percentile(times, 1) };
}

const compare = (subscribers: number, measured: Times, predicted: Times): Row => ({
  subscribers,
  'p50 measured, ms': round(measured.p50Ms),
  'p50 predicted, ms': round(predicted.p50Ms),
  'last measured, ms': round(measured.lastMs),
  'last predicted, ms': round(predicted.lastMs),
});

const target = (subscribers: number, measured: Times, predicted: Times): Target => ({
  name: `last of ${subscribers} subscribers, predicted against measured (ratio)`,
  value: round(predicted.lastMs / measured.lastMs, 2),
  atLeast: 1 - TOLERANCE,
  atMost: 1 + TOLERANCE,
});

export const bench: Bench = {
  title: 'The model, calibrated with three small runs, against runs that it has not seen',
  async run() {
    const system = await startSystem({ unthrottled: true });
    try {
      const backEnd = new BackEnd(system.ready);
      const clients = await connect(system.ready.websocketUrl, SUBSCRIBERS_MAX);
      const found = await measure(backEnd, clients);
      const timesOf = (subscribers: number): Times => found.get(subscribers) ?? { p50Ms: 0, lastMs: 0 };
      const parameters = calibrate((subscribers) => timesOf(subscribers).lastMs);
      const rows: Row[] = [];
      const targets: Target[] = [];
      for (const subscribers of PREDICTED) {
        const measured = timesOf(subscribers);
        const predicted = predict(subscribers, parameters);
        rows.push(compare(subscribers, measured, predicted));
        targets.push(target(subscribers, measured, predicted));
      }
      await Promise.all(clients.map((client) => client.close()));
      return { rows, targets };
    } finally {
      await system.stop();
    }
  },
};
