import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../shared/client/index.ts';
import type { Faults } from '../support/faults.ts';
import type { System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { type Account, accountOf, Listener, total } from './audience.ts';

/** What users would put a system like this through. Small sizes are tests, the full ones `npm run trials`. */

interface Traffic {
  /** How many messages have been stored. */
  readonly published: () => number;
  /** Ends when all that were published are stored. */
  stop(): Promise<number>;
}

/** Publishes to a topic again and again, until it is stopped. The data is the message's number. */
export function traffic(url: string, topic: string, perSecond: number): Traffic {
  const client = connect({ url });
  let [stopped, published] = [false, 0];
  const publishing = (async () => {
    const startedAtMs = Date.now();
    for (let n = 1; !stopped; n++) {
      await client.publish(topic, n, { stored: true });
      published = n;
      await delay(Math.max(0, startedAtMs + (n * 1000) / perSecond - Date.now()));
    }
  })();
  return {
    published: () => published,
    async stop() {
      stopped = true;
      await publishing;
      client.close();
      return published;
    },
  };
}

export interface OrderResult extends Account {
  /** Subscribers that saw another order than the first one did. */
  readonly otherOrders: number;
}

/** Many publishers, one topic: everybody sees the same order, and nobody a hole. */
export async function order(
  { ready }: Pick<System, 'ready'>,
  size: { readonly publishers: number; readonly messages: number; readonly subscribers: number },
): Promise<OrderResult> {
  const url = ready.websocketUrl;
  const topic = `chat/order-${Date.now()}`;
  const listeners = Array.from({ length: size.subscribers }, () => new Listener(url));
  await Promise.all(listeners.map((listener) => listener.listen(topic).ready));
  const publishers = Array.from({ length: size.publishers }, () => connect({ url }));
  const each = size.messages / size.publishers;
  await Promise.all(
    publishers.map((publisher, who) =>
      Promise.all(Array.from({ length: each }, (_, n) => publisher.publish(topic, [who, n]))),
    ),
  );
  await until(() => listeners.every(({ seen }) => seen.length >= size.messages));
  for (const client of [...publishers, ...listeners.map(({ client }) => client)]) client.close();
  const orders = listeners.map(({ seen }) => JSON.stringify(seen.map(({ data }) => data)));
  return {
    ...total(listeners.map(({ offsets }) => accountOf(offsets, 1, size.messages))),
    otherOrders: orders.filter((each) => each !== orders[0]).length,
  };
}

export interface OwnOrderResult extends Account {
  readonly messages: number;
  /** Messages of one publisher that stand before one that it had published, and had acknowledged, before. */
  readonly inversions: number;
  /** Messages that are not where their acknowledgement said. */
  readonly misplaced: number;
}

/** Publishers that wait for every acknowledgement, under a bus that keeps no order. */
export async function ownOrder(
  { ready }: Pick<System, 'ready'>,
  faults: Faults,
  size: { readonly publishers: number; readonly messages: number; readonly busMs: number },
): Promise<OwnOrderResult> {
  const url = ready.websocketUrl;
  const topic = `chat/own-${Date.now()}`;
  const listener = new Listener(url);
  await listener.listen(topic).ready;
  await faults.set({ faults: [{ on: 'bus', effect: 'delay', delayMs: [0, size.busMs] }] });
  const publishers = Array.from({ length: size.publishers }, () => connect({ url }));
  const placed = new Map<number, number[]>();
  await Promise.all(
    publishers.map(async (publisher, who) => {
      const offsets: number[] = [];
      placed.set(who, offsets);
      for (let n = 0; n < size.messages; n++) {
        const { offset } = await publisher.publish(topic, [who, n]);
        offsets.push(Number(offset));
      }
    }),
  );
  const messages = size.publishers * size.messages;
  await until(() => listener.seen.length >= messages);
  await faults.clear();
  for (const client of [...publishers, listener.client]) client.close();
  const latest = new Map<number, number>();
  let [inversions, misplaced] = [0, 0];
  for (const { offset, data } of listener.seen) {
    const [who, n] = data as [number, number];
    if (n < (latest.get(who) ?? 0)) inversions += 1;
    latest.set(who, n);
    if (placed.get(who)?.[n] !== offset) misplaced += 1;
  }
  return { ...accountOf(listener.offsets, 1, messages), messages, inversions, misplaced };
}

export interface CutsResult extends Account {
  readonly cuts: number;
  /** Resubscriptions that said that everything is there. */
  readonly recovered: number;
  readonly deliveries: number;
}

/** Clients lose their connection at random under traffic, and come back a random time later. */
export async function cuts(
  { ready }: Pick<System, 'ready'>,
  size: {
    readonly clients: number;
    readonly topics: number;
    readonly perSecond: number;
    readonly awaySecondsMax: number;
  },
): Promise<CutsResult> {
  const url = ready.websocketUrl;
  const topics = Array.from({ length: size.topics }, (_, n) => `chat/cuts-${Date.now()}-${n}`);
  const listeners = await gather(url, topics, size.clients);
  const feeds = topics.map((topic) => traffic(url, topic, size.perSecond));
  await Promise.all(
    listeners.map(async ({ network }) => {
      await delay(Math.random() * size.awaySecondsMax * 1000);
      network.cut();
      await delay(Math.random() * size.awaySecondsMax * 1000);
      network.mend();
    }),
  );
  const published = await Promise.all(feeds.map((feed) => feed.stop()));
  const due = (index: number): number => published[index % topics.length] as number;
  await until(() => listeners.every(({ offsets }, index) => offsets.at(-1) === due(index)));
  for (const { client } of listeners) client.close();
  return {
    ...total(listeners.map(({ offsets }, index) => accountOf(offsets, Number(offsets[0]), due(index)))),
    cuts: listeners.length,
    recovered: listeners.filter(({ recoveries }) => recoveries.every(({ recovered }) => recovered)).length,
    deliveries: listeners.reduce((sum, { seen }) => sum + seen.length, 0),
  };
}

export interface TrimmedResult {
  readonly cuts: number;
  /** Clients that were told `recovered: false`, and nothing else. */
  readonly told: number;
  /** Clients that were not. */
  readonly untold: number;
  /** Clients to which something of the gap came all the same. */
  readonly partial: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
}

/** Clients are away until the history does not reach back any more. */
export async function trimmed(
  { ready }: Pick<System, 'ready'>,
  { clients, historyMessages }: { readonly clients: number; readonly historyMessages: number },
): Promise<TrimmedResult> {
  const url = ready.websocketUrl;
  const topic = `short/trimmed-${Date.now()}`;
  const listeners = await gather(url, [topic], clients);
  const publisher = connect({ url });
  const publish = async (count: number) => {
    const sent = Array.from({ length: count }, (_, n) => publisher.publish(topic, n, { stored: true }));
    const offsets = (await Promise.all(sent)).map((stored) => ('offset' in stored ? stored.offset : 0));
    return Math.max(...offsets);
  };
  const before = await publish(3);
  await until(() => listeners.every(({ offsets }) => offsets.at(-1) === before));
  for (const { network } of listeners) network.cut();
  await publish(historyMessages + 3);
  for (const { network } of listeners) network.mend();
  await until(() => listeners.every(({ recoveries }) => recoveries.length > 0));
  const last = await publish(3);
  await until(() => listeners.every(({ offsets }) => offsets.at(-1) === last));
  publisher.close();
  for (const { client } of listeners) client.close();
  const { duplicated, outOfOrder } = total(listeners.map(({ offsets }) => accountOf(offsets, 1, last)));
  const told = listeners.filter(({ recoveries }) => recoveries.length === 1 && !recoveries[0]?.recovered);
  return {
    cuts: clients,
    told: told.length,
    untold: clients - told.length,
    partial: listeners.filter(({ offsets }) =>
      offsets.some((offset) => offset > before && offset <= last - 3),
    ).length,
    duplicated,
    outOfOrder,
  };
}

export interface DropsResult extends Account {
  readonly dropped: number;
  /** From being published until it reached the last application. */
  readonly slowestMs: number;
  /** Messages that took more than a heartbeat to reach an application. */
  readonly late: number;
}

/** Posts that API Gateway takes and does not deliver. */
export async function drops(
  { ready }: Pick<System, 'ready'>,
  faults: Faults,
  size: {
    readonly clients: number;
    readonly messages: number;
    readonly rate: number;
    readonly heartbeatMs: number;
  },
): Promise<DropsResult> {
  const url = ready.websocketUrl;
  const topic = `chat/drops-${Date.now()}`;
  const { heartbeatMs } = size;
  const listeners = await gather(url, [topic], size.clients, {
    heartbeatMs,
    pongTimeoutMs: heartbeatMs / 3,
    gapMs: heartbeatMs / 10,
  });
  const publisher = connect({ url });
  await faults.set({ faults: [{ on: '@connections', method: 'POST', effect: 'drop', rate: size.rate }] });
  for (let n = 1; n <= size.messages; n++) {
    await publisher.publish(topic, Date.now());
    // Now and then there is a pause, so that also the last message before it can be lost.
    if (n % 20 === 0) await delay(heartbeatMs * 1.5);
  }
  await until(() => listeners.every(({ offsets }) => offsets.at(-1) === size.messages));
  const [dropped = 0] = await faults.strikes();
  await faults.clear();
  publisher.close();
  for (const { client } of listeners) client.close();
  const delays = listeners.flatMap(({ seen }) => seen.map(({ data, atMs }) => atMs - Number(data)));
  return {
    ...total(listeners.map(({ offsets }) => accountOf(offsets, 1, size.messages))),
    dropped,
    slowestMs: Math.max(...delays),
    late: delays.filter((ms) => ms > heartbeatMs).length,
  };
}

export interface RolloversResult extends Account {
  readonly rollovers: number;
  /** States that the applications were shown, after the first connection. */
  readonly statesShown: number;
}

/**
 * Only a pong asks for the next connection, and a client whose ping came too early pings again ten seconds later. With
 * this heartbeat it asks for what it missed on a quiet topic every 1.2 s: no sooner than a connection's second is over.
 */
const ROLLOVER_HEARTBEAT_MS = 4_400;

/** Connections that come to their end under traffic, on a system that lets them live for a second. */
export async function rollovers(
  { ready }: Pick<System, 'ready'>,
  size: { readonly clients: number; readonly rollovers: number; readonly perSecond: number },
): Promise<RolloversResult> {
  const url = ready.websocketUrl;
  const topic = `chat/rollovers-${Date.now()}`;
  const listeners = await gather(url, [topic], size.clients, { heartbeatMs: ROLLOVER_HEARTBEAT_MS });
  await Promise.all(listeners.map((listener) => listener.listen(`${topic}-quiet`).ready));
  for (const { states } of listeners) states.length = 0;
  const feed = traffic(url, topic, size.perSecond);
  const connections = () => listeners.reduce((sum, { network }) => sum + network.connections, 0);
  // Those before there is traffic prove nothing.
  await until(() => feed.published() > 0);
  const before = connections();
  await until(() => connections() - before >= size.rollovers);
  const published = await feed.stop();
  await until(() => listeners.every(({ offsets }) => offsets.at(-1) === published));
  const statesShown = listeners.reduce((sum, { states }) => sum + states.length, 0);
  for (const { client } of listeners) client.close();
  return {
    ...total(listeners.map(({ offsets }) => accountOf(offsets, 1, published))),
    rollovers: connections() - before,
    statesShown,
  };
}

export interface RewindsResult extends Account {
  readonly joins: number;
  /** Joins that got fewer than they asked for. */
  readonly short: number;
}

/** Subscribers that join with a rewind while messages are published. */
export async function rewinds(
  { ready }: Pick<System, 'ready'>,
  size: {
    readonly joins: number;
    readonly clients: number;
    readonly perSecond: number;
    readonly rewind: number;
  },
): Promise<RewindsResult> {
  const url = ready.websocketUrl;
  const topic = `chat/rewinds-${Date.now()}`;
  const feed = traffic(url, topic, size.perSecond);
  await until(() => feed.published() >= size.rewind);
  const accounts: Account[] = [];
  let short = 0;
  const joinAgain = async () => {
    const listener = new Listener(url);
    while (accounts.length < size.joins) {
      listener.seen.length = 0;
      const before = feed.published();
      const subscription = listener.listen(topic, { rewind: size.rewind });
      await subscription.ready;
      if (listener.seen.length < size.rewind) short += 1;
      await until(() => Number(listener.offsets.at(-1)) >= before + 3);
      subscription.unsubscribe();
      const { offsets } = listener;
      accounts.push(accountOf(offsets, Number(offsets[0]), Number(offsets.at(-1))));
    }
    listener.client.close();
  };
  await Promise.all(Array.from({ length: size.clients }, joinAgain));
  await feed.stop();
  return { ...total(accounts), joins: accounts.length, short };
}

async function gather(
  url: string,
  topics: readonly string[],
  clients: number,
  options: Partial<Parameters<typeof connect>[0]> = {},
): Promise<Listener[]> {
  const listeners = Array.from({ length: clients }, () => new Listener(url, options));
  await Promise.all(
    listeners.map((listener, index) => listener.listen(topics[index % topics.length] as string).ready),
  );
  return listeners;
}
