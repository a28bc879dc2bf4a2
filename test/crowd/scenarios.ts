import { setTimeout as delay } from 'node:timers/promises';
import type { Usage } from '../../infra/local/meter/meter.ts';
import { type Bill, costOf } from '../../infra/model/bill.ts';
import { PRICES } from '../../infra/model/prices.ts';
import { DELIVERY_STAGES } from '../../infra/model/stages.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { mapLimit } from '../../shared/async.ts';
import { POSTS_KEY, type PostsItem } from '../../shared/data/tables.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { decodeJob } from '../../shared/queues/job.ts';
import { percentile } from '../bench/bench.ts';
import { until } from '../support/until.ts';
import { type Conduct, clockMs, conductOf, connectionIdOf, GOOD_CONDUCT, type Report } from './conduct.ts';
import { Crowd, type CrowdOptions } from './crowd.ts';

/** Loads that need more connections than a machine can hold: a small size of each is a test, the full one a benchmark. */

const TOPIC = 'news';
/** More than any machine here can do, where pacing is not what is looked at. */
const UNPACED = '1000000';

async function inCrowd<T>(options: CrowdOptions, run: (crowd: Crowd) => Promise<T>): Promise<T> {
  const crowd = await Crowd.gather({ ...options, env: { REQUESTS_PER_SECOND_MAX: UNPACED, ...options.env } });
  try {
    return await run(crowd);
  } finally {
    await crowd.disperse();
  }
}

/** Messages to the quiet topic before those that count. */
const FLOOD_WARM_UP = 150;

/** The first message pays for cold starts; what comes after it is measured. */
async function warmUp(crowd: Crowd): Promise<void> {
  await crowd.publish(TOPIC, 0);
  await crowd.settled();
  await crowd.reset();
  await fetch(usageUrl(crowd), { method: 'DELETE' });
}

const usageUrl = ({ local }: Crowd): string => `${local.ready.endpoint}/_fanwire/usage`;

/** The usage of a run, with the posts that went to the stub and not to the local gateway. */
async function usageOf(crowd: Crowd, posts: number): Promise<Usage> {
  const usage = (await (await fetch(usageUrl(crowd))).json()) as Usage;
  const [name, stage] = Object.entries(usage.stages)[0] ?? [];
  if (!name || !stage) throw new Error('expected a stage in the usage, got none');
  return { ...usage, stages: { ...usage.stages, [name]: { ...stage, posts } } };
}

interface Everybody {
  readonly reports: readonly Report[];
  /** The longest invocation, as a share of its timeout. */
  readonly longestShare: number;
  /** The largest heap of a worker's environment. */
  readonly heapMb: number;
  readonly dollarsPerMillion: number;
  /** Without Lambda's time and the leases of turns to post: a slow machine takes more of both. */
  readonly steadyDollarsPerMillion: number;
  /** From publishing to the last one that took it. */
  readonly lastMs: number;
  /** Processor time is not all there is to the machine: wall time per post, all in. */
  readonly postsPerSecond: number;
}

/** Messages one after the other to so many subscribers of one topic. */
export const everybody = (
  connections: number,
  messages: number,
  env: Record<string, string> = {},
): Promise<Everybody> =>
  inCrowd({ connections, env }, async (crowd) => {
    await crowd.seed(TOPIC, 0, connections);
    await warmUp(crowd);
    const startedAt = performance.now();
    const reports: Report[] = [];
    for (let message = 1; message <= messages; message++) {
      await crowd.publish(TOPIC, message);
      await crowd.settled();
      reports.push(await crowd.report({ [message]: connections }));
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const posts = Number(reports.at(-1)?.posts);
    const usage = await usageOf(crowd, posts);
    const bill = costOf(usage, PRICES);
    const workers = Object.values(usage.functions);
    return {
      reports,
      longestShare: Math.max(...workers.map(({ durationMaxMs, timeoutMs }) => durationMaxMs / timeoutMs)),
      heapMb: Math.max(...workers.map(({ heapBytesMax }) => heapBytesMax)) / 2 ** 20,
      dollarsPerMillion: bill.dollarsPerMillionDeliveries,
      steadyDollarsPerMillion: (1_000_000 * steadyDollars(bill)) / bill.deliveries,
      lastMs: Math.max(...reports.map(({ lastMs }, index) => Number(lastMs[index + 1]))),
      postsPerSecond: posts / seconds,
    };
  });

const steadyDollars = ({ lines }: Bill): number =>
  lines
    .filter(({ stage }) => DELIVERY_STAGES.includes(stage))
    .filter(({ price, resource }) => price !== 'lambdaGbSeconds' && resource !== 'topics UpdateItem')
    .reduce((sum, { dollars }) => sum + dollars, 0);

interface Growth {
  readonly missed: number;
  readonly twice: number;
  readonly messages: number;
  readonly shards: number;
}

/**
 * A topic grows from 10 subscribers while it is published to. A connection that had the reply to `subscribe`
 * before a message was published is due that message.
 */
export const growth = (
  connections: number,
  everyMs: number,
  env: Record<string, string> = {},
): Promise<Growth> =>
  inCrowd({ connections, env }, async (crowd) => {
    const isSubscribed = new Uint8Array(connections);
    let subscribed = 0;
    const join = async (connection: number) => {
      await subscribeOne(crowd, connectionIdOf(connection));
      isSubscribed[connection] = 1;
      while (isSubscribed[subscribed]) subscribed += 1;
    };
    for (let connection = 0; connection < 10; connection++) await join(connection);
    const due: Record<number, number> = {};
    let message = 0;
    const publish = async () => {
      message += 1;
      due[message] = subscribed;
      await crowd.publish(TOPIC, message);
    };
    await publish();
    const numbers = Array.from({ length: connections - 10 }, (_, index) => index + 10);
    let isGrowing = true;
    const growing = mapLimit(numbers, 32, join).finally(() => {
      isGrowing = false;
    });
    while (isGrowing) {
      await Promise.race([growing, delay(everyMs)]);
      await publish();
    }
    for (const join of await growing) if (join.status === 'rejected') throw join.reason;
    await publish();
    await crowd.settled();
    const report = await crowd.report(due);
    return {
      missed: Object.values(report.missed).reduce((sum, missed) => sum + missed, 0),
      twice: report.twice,
      messages: message,
      shards: (await crowd.shards().of(parsePattern(TOPIC))).length,
    };
  });

const subscribeOne = (crowd: Crowd, connectionId: string) =>
  subscribe(
    { connectionId, connectedAtMs: Date.now(), frame: { topic: parsePattern(TOPIC) } },
    crowd.subscribeDeps(),
  );

export interface Misconduct {
  readonly delivered: number;
  readonly gone: number;
  readonly deadLettered: number;
  readonly twice: number;
  /** Rows that are left in the table. */
  readonly rows: number;
  /** Of those that answer as they should. */
  readonly p99Ms: number;
  /** Requests that answered connections got: one each, unless some were served again with those that failed. */
  readonly posts: number;
}

/** One message to a topic with connections that hang, are gone or answer 429. */
export const misconduct = (
  connections: number,
  conduct: Conduct = GOOD_CONDUCT,
  env: Record<string, string> = {},
): Promise<Misconduct> =>
  inCrowd(
    { connections, conduct, env: { DELIVERY_ATTEMPTS_MAX: '2', POST_TIMEOUT_MS: '500', ...env } },
    async (crowd) => {
      // A small one first, for the cold starts; its connection is none of those that are looked at.
      await crowd.seed('warm-up', connections, connections + 1);
      await crowd.publish('warm-up', 0);
      await crowd.settled();
      await crowd.reset();
      await crowd.seed(TOPIC, 0, connections);
      await crowd.publish(TOPIC, 1);
      await crowd.settled();
      const { posts, reached, twice, p99Ms } = await crowd.report();
      const letters = (await crowd.backEnd.drain('deliveryDeadLetters')).map(({ Body }) =>
        decodeJob(String(Body)),
      );
      const rows = await crowd.backEnd.rows('subscriptions', {
        FilterExpression: 'topicShard = :shard',
        ExpressionAttributeValues: { ':shard': { S: `${TOPIC}#0` } },
      });
      return {
        delivered: Number(reached[1]),
        gone: connections - rows.length,
        deadLettered: letters.reduce((sum, { connectionIds }) => sum + connectionIds.length, 0),
        twice,
        rows: rows.length,
        p99Ms: Number(p99Ms[1]),
        posts,
      };
    },
  );

/** So many of all connections that answer like this. */
export const countOf = (connections: number, conduct: Conduct, answer: string): number =>
  Array.from({ length: connections }, (_, index) => conductOf(index, conduct)).filter(
    (each) => each === answer,
  ).length;

interface Paced extends Report {
  /** From publishing to where the schedule ends that all workers share. */
  readonly bookedMs: number;
}

/** One message to many, at a budget of so many requests a second. */
export const paced = (
  connections: number,
  requestsPerSecond: number,
  env: Record<string, string> = {},
): Promise<Paced> =>
  inCrowd(
    {
      connections,
      env: { REQUESTS_PER_SECOND_MAX: String(requestsPerSecond), ENVIRONMENTS_MAX: '10', ...env },
    },
    async (crowd) => {
      await crowd.seed('warm-up', 0, Math.min(1_000, requestsPerSecond));
      await crowd.publish('warm-up', 0);
      await crowd.settled();
      await crowd.reset();
      await crowd.seed(TOPIC, 0, connections);
      const publishedAtMs = Date.now();
      await crowd.publish(TOPIC, 1);
      await crowd.settled();
      const [schedule] = await crowd.backEnd.rows('topics', {
        FilterExpression: 'topic = :posts',
        ExpressionAttributeValues: { ':posts': POSTS_KEY.topic },
      });
      const { N: freeAt } = (schedule as Partial<PostsItem> | undefined)?.freeAt ?? {}; // the one with that key
      return { ...(await crowd.report({ 1: connections })), bookedMs: Number(freeAt) - publishedAtMs };
    },
  );

interface Flood {
  readonly quietP50Ms: number;
  readonly quietP99Ms: number;
  readonly floodPosts: number;
  /** Jobs of the flood that had not had their turn when it was over. */
  readonly stillWaiting: number;
}

/**
 * A topic with three subscribers is published to, alone or beside a large topic whose jobs wait all the time for their
 * turn in the budget.
 */
export const flood = (
  floodMessages: number,
  connections: number,
  { messages, everyMs, requestsPerSecond }: { messages: number; everyMs: number; requestsPerSecond: number },
): Promise<Flood> =>
  inCrowd(
    { connections, env: { REQUESTS_PER_SECOND_MAX: String(requestsPerSecond), ENVIRONMENTS_MAX: '60' } },
    async (crowd) => {
      await crowd.seed(TOPIC, 3, connections);
      await crowd.seed('quiet', 0, 3);
      // Cold starts first, of the delivery worker too.
      await crowd.seed('large', 3, 300);
      for (const topic of ['large', ...Array.from({ length: 20 }, () => 'quiet')]) {
        await crowd.publish(topic, 0);
        await crowd.settled();
      }
      for (let message = 1; message <= floodMessages; message++)
        await crowd.publish(TOPIC, messages + message);
      await until(async () => (await crowd.backEnd.depth('ingest')) === 0);
      const publishQuietly = async (message: number) => {
        await crowd.publish('quiet', message);
        await delay(everyMs);
      };
      // The flood starts environments, which would take the processor from what is measured.
      for (let n = 0; n < FLOOD_WARM_UP; n++) await publishQuietly(0);
      await crowd.reset();
      for (let message = 1; message <= messages; message++) await publishQuietly(message);
      await until(async () => (await crowd.backEnd.depth('ingest')) === 0);
      const { p50Ms, p99Ms, reached } = await crowd.report();
      const ofQuiet = (times: Readonly<Record<number, number>>) =>
        Object.entries(times).flatMap(([message, ms]) => (Number(message) <= messages ? ms : []));
      const arrived = ofQuiet(reached).filter((connections) => connections === 3).length;
      if (arrived < messages)
        throw new Error(`expected ${messages} quiet messages to arrive, got ${arrived}`);
      return {
        quietP50Ms: percentile(ofQuiet(p50Ms), 0.5),
        quietP99Ms: percentile(ofQuiet(p99Ms), 0.99),
        floodPosts: Object.entries(reached).reduce(
          (sum, [m, count]) => sum + (Number(m) > messages ? count : 0),
          0,
        ),
        stillWaiting: await crowd.backEnd.depth('delivery'),
      };
    },
  );

/** Ten messages at once: posts for each subscriber, with one PutEvents of ten entries. */
export const burst = (
  connections: number,
): Promise<{
  readonly postsPerSubscriber: number;
  readonly dollarsPerMillion: number;
  readonly missed: number;
}> =>
  inCrowd({ connections }, async (crowd) => {
    await crowd.seed(TOPIC, 0, connections);
    await warmUp(crowd);
    const numbers = Array.from({ length: 10 }, (_, index) => index + 1);
    await crowd.backEnd.publish(
      ...numbers.map((message) => ({ topic: TOPIC, data: { message, publishedAtMs: clockMs() } })),
    );
    await crowd.settled();
    const { posts, missed } = await crowd.report(Object.fromEntries(numbers.map((n) => [n, connections])));
    return {
      postsPerSubscriber: posts / connections,
      dollarsPerMillion: costOf(await usageOf(crowd, posts), PRICES, 10 * connections)
        .dollarsPerMillionDeliveries,
      missed: Object.values(missed).reduce((sum, each) => sum + each, 0),
    };
  });

export interface Stream {
  readonly hanging: number;
  /** Of all deliveries to subscribers that answer, on the topic that some hang on, and on another. */
  readonly sameP50Ms: number;
  readonly sameP99Ms: number;
  readonly otherP50Ms: number;
  readonly otherP99Ms: number;
  /** Messages times connections, each counted once: delivered to those that answer, a dead letter of those that hang. */
  readonly delivered: number;
  readonly deadLettered: number;
  readonly unaccounted: number;
  /** The reasons of the dead letters, without which attempt it was. */
  readonly reasons: string;
}

const STREAM_EVERY_MS = 100;
/** Messages published at once, so that every environment is there and warm before those that count, as under traffic. */
const STREAM_WARM_UP = 100;
const STREAM_WARM_UPS = 12;
/** The other topic's connections come after those of the first, and its messages after the first one's. */
const OTHER = { topic: 'other', connections: 10, firstMessage: 100_000 };

/** Ten messages a second to each of two topics, the first of which has connections that hang. */
export const stream = (connections: number, hanging: number, messages: number): Promise<Stream> =>
  inCrowd(
    {
      connections: connections + OTHER.connections,
      conduct: { ...GOOD_CONDUCT, firstHang: hanging },
      env: { ENVIRONMENTS_MAX: '10' },
    },
    async (crowd) => {
      await crowd.seed(OTHER.topic, connections, connections + OTHER.connections);
      for (let n = 0; n < STREAM_WARM_UPS; n++) {
        await Promise.all(Array.from({ length: STREAM_WARM_UP }, () => crowd.publish(OTHER.topic, 0)));
        await crowd.settled();
      }
      await crowd.reset();
      await crowd.seed(TOPIC, 0, connections);
      const startedAtMs = clockMs();
      for (let n = 1; n <= messages; n++) {
        await crowd.publish(TOPIC, n);
        await delay(Math.max(0, startedAtMs + (n - 0.5) * STREAM_EVERY_MS - clockMs()));
        await crowd.publish(OTHER.topic, OTHER.firstMessage + n);
        await delay(Math.max(0, startedAtMs + n * STREAM_EVERY_MS - clockMs()));
      }
      await crowd.settled();
      const report = await crowd.report();
      const balance = await balanceOf(crowd, report, { connections, messages });
      return { hanging, ...(await latenciesOf(crowd, messages)), ...balance };
    },
  );

async function latenciesOf(crowd: Crowd, messages: number) {
  const same = await crowd.latency({ from: 1, to: messages });
  const other = await crowd.latency({ from: OTHER.firstMessage, to: OTHER.firstMessage + messages });
  return {
    sameP50Ms: same.p50Ms,
    sameP99Ms: same.p99Ms,
    otherP50Ms: other.p50Ms,
    otherP99Ms: other.p99Ms,
  };
}

async function balanceOf(
  crowd: Crowd,
  { reached }: Report,
  { connections, messages }: { connections: number; messages: number },
) {
  const letters = (await crowd.backEnd.drain('deliveryDeadLetters')).map(({ Body, MessageAttributes }) => ({
    job: decodeJob(String(Body)),
    reason: String(MessageAttributes?.reason?.StringValue).replace(/ \(.*/, ''),
  }));
  const sum = (counts: readonly number[]) => counts.reduce((total, each) => total + each, 0);
  const delivered = sum(Object.values(reached));
  const deadLettered = sum(letters.map(({ job }) => job.connectionIds.length * job.messages.length));
  return {
    delivered,
    deadLettered,
    unaccounted: messages * (connections + OTHER.connections) - delivered - deadLettered,
    reasons: [...new Set(letters.map(({ reason }) => reason))].join(', '),
  };
}
