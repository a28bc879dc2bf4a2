import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../shared/client/index.ts';
import { BackEnd } from '../support/back-end.ts';
import type { Fault, Faults } from '../support/faults.ts';
import type { System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { type Account, accountOf, Listener, total } from './audience.ts';

/** What a part of AWS may do for a while. */
export const OUTAGES: Readonly<Record<string, Fault>> = {
  tablesThrottled: { on: 'table', effect: 'throttle' },
  postsThrottled: { on: '@connections', method: 'POST', effect: 'answer', status: 429 },
  postsFailing: { on: '@connections', method: 'POST', effect: 'answer', status: 500 },
  busLate: { on: 'bus', effect: 'delay', delayMs: [0, 5_000] },
  queuesLate: { on: 'queue', effect: 'delay', delayMs: [0, 5_000] },
};

export interface OutageResult extends Account {
  readonly messages: number;
  /** Publishes that got an error: their publisher knows. */
  readonly refused: number;
  /** Messages to the volatile topic that were acknowledged and did not reach a subscriber. */
  readonly volatileLost: number;
  /** Subscriptions that were told of a loss. */
  readonly told: number;
  /** From the end of the outage until the last message from before it was with everybody. */
  readonly settledAfterMs: number;
  /** Reads of history by subscribers, for a thousand messages to one. */
  readonly repairsPerThousand: number;
  readonly deadLetters: number;
  /** Messages that had not arrived half a minute after the end. */
  readonly late: number;
}

interface Size {
  readonly perSecond: number;
  readonly subscribers: number;
  readonly outageMs: number;
}

const LATE_MS = 30_000;
const AROUND_MS = 3_000;

/** Back ends and clients publish while something is out of order, to a topic with history and to one without. */
export async function outage(
  { ready }: Pick<System, 'ready'>,
  faults: Faults,
  fault: Fault,
  { perSecond, subscribers, outageMs }: Size,
): Promise<OutageResult> {
  const url = ready.websocketUrl;
  const backEnd = new BackEnd(ready);
  const [kept, volatile] = [`chat/outage-${Date.now()}`, `quick/outage-${Date.now()}`];
  const onKept = await listenersOf(url, kept, subscribers);
  const onVolatile = await listenersOf(url, volatile, subscribers);
  const before = await lettersOf(backEnd);

  const publisher = connect({ url });
  const publishing: Promise<{ readonly topic: string; readonly n: number } | undefined>[] = [];
  let n = 0;
  const publishFor = async (ms: number) => {
    const endMs = Date.now() + ms;
    for (; Date.now() < endMs; n++) {
      for (const topic of [kept, volatile]) publishing.push(publish(topic, n));
      await delay(1_000 / perSecond);
    }
  };
  const publish = (topic: string, number: number) =>
    publisher.publish(topic, number).then(
      () => ({ topic, n: number }),
      () => undefined,
    );

  await publishFor(AROUND_MS);
  await faults.set({ faults: [fault] });
  await publishFor(outageMs);
  await faults.clear();
  const endedAtMs = Date.now();
  const during = n;
  await publishFor(AROUND_MS);

  const accepted = (await Promise.all(publishing)).flatMap((each) => each ?? []);
  const due = (topic: string) => accepted.filter((each) => each.topic === topic).map((each) => each.n);
  const misses = (listener: Listener, topic: string) => {
    const got = new Set(listener.seen.map(({ data }) => data));
    return due(topic).filter((each) => !got.has(each)).length;
  };
  await until(
    () =>
      Date.now() > endedAtMs + 2 * LATE_MS ||
      (onKept.every((listener) => misses(listener, kept) === 0) &&
        onVolatile.every((listener) => misses(listener, volatile) === 0)),
  );
  const arrivals = [...onKept, ...onVolatile].flatMap(({ seen }) =>
    seen.filter(({ data }) => Number(data) < during),
  );
  const settledAfterMs = Math.max(0, ...arrivals.map(({ atMs }) => atMs - endedAtMs));
  publisher.close();
  for (const { client } of [...onKept, ...onVolatile]) client.close();
  const last = Math.max(...onKept.flatMap(({ offsets }) => offsets));
  return {
    ...total(onKept.map(({ offsets }) => accountOf(offsets, 1, last))),
    messages: 2 * n,
    refused: publishing.length - accepted.length,
    volatileLost: onVolatile.reduce((sum, listener) => sum + misses(listener, volatile), 0),
    told: [...onKept, ...onVolatile].filter(({ recoveries }) =>
      recoveries.some(({ recovered }) => !recovered),
    ).length,
    settledAfterMs,
    late: arrivals.filter(({ atMs }) => atMs > endedAtMs + LATE_MS).length,
    repairsPerThousand: Math.round((1_000 * repairsOf(onKept)) / (n * subscribers)),
    deadLetters: (await lettersOf(backEnd)) - before,
  };
}

async function listenersOf(url: string, topic: string, count: number): Promise<Listener[]> {
  const listeners = Array.from({ length: count }, () => new Listener(url));
  await Promise.all(listeners.map((listener) => listener.listen(topic).ready));
  return listeners;
}

const repairsOf = (listeners: readonly Listener[]): number =>
  listeners.reduce((sum, { network }) => sum + network.sentOf('history'), 0);

const lettersOf = async (backEnd: BackEnd): Promise<number> =>
  (await backEnd.depth('ingestDeadLetters')) + (await backEnd.depth('deliveryDeadLetters'));
