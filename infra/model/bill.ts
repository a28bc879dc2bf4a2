import type { Usage } from '../local/meter/meter.ts';
import { AWS } from './parameters.ts';
import { dollarsFor, type Prices } from './prices.ts';
import {
  DELIVERY_STAGES,
  STAGES,
  type Stage,
  stageOfFunction,
  stageOfQueue,
  stageOfTable,
} from './stages.ts';

/** START, END and REPORT of one invocation, in Lambda's text format. */
const PLATFORM_LOG_BYTES = 360;
const BYTES_PER_GB = 1024 ** 3;
/** With a maximum concurrency Lambda keeps its first pollers at work on an empty queue, in long polls (guide, "SQS scaling"). */
const LONG_POLL_SECONDS = 20;

/** Of 30 days, as Secrets Manager bills a secret that is there for less than a month. */
const SECONDS_PER_MONTH = 30 * 24 * 3_600;

/** One row of a bill. */
export interface Line {
  readonly stage: Stage;
  readonly resource: string;
  readonly price: keyof Prices;
  readonly units: number;
  readonly dollars: number;
}

export interface Bill {
  readonly lines: readonly Line[];
  readonly dollars: number;
  readonly byStage: Readonly<Record<Stage, number>>;
  /** Messages received, counted once for each subscriber: the posts, unless the caller gave a number. */
  readonly deliveries: number;
  /** Dollars of the stages publish, fan out and deliver, for a million deliveries. */
  readonly dollarsPerMillionDeliveries: number;
}

/**
 * What a usage costs at these prices, as if it were all of a month. A post may carry several messages, which a meter
 * cannot see: how many were delivered is for the caller to say.
 */
export function costOf(usage: Usage, prices: Prices, deliveries = postsOf(usage)): Bill {
  const counted = [
    ...functionCounts(usage),
    ...tableCounts(usage),
    ...queueCounts(usage),
    ...gatewayCounts(usage),
    ...secretCounts(usage),
    ...otherCounts(usage),
  ];
  const lines = priced(
    counted.filter(({ units }) => units > 0),
    prices,
  );
  const sum = (some: readonly Line[]): number => some.reduce((total, { dollars }) => total + dollars, 0);
  const byStage = Object.fromEntries(
    STAGES.map((stage) => [stage, sum(lines.filter((line) => line.stage === stage))]),
  ) as Record<Stage, number>; // every stage has its entry
  const delivering = DELIVERY_STAGES.reduce((total, stage) => total + byStage[stage], 0);
  const dollarsPerMillionDeliveries = deliveries > 0 ? (delivering / deliveries) * 1_000_000 : 0;
  return { lines, dollars: sum(lines), byStage, deliveries, dollarsPerMillionDeliveries };
}

type Count = Omit<Line, 'dollars'>;

const postsOf = ({ stages }: Usage): number =>
  Object.values(stages).reduce((posts, stage) => posts + stage.posts, 0);

/** Tiers are for an account's whole volume: each line gets its share of them. */
function priced(counts: readonly Count[], prices: Prices): Line[] {
  const totals = new Map<keyof Prices, number>();
  for (const { price, units } of counts) totals.set(price, (totals.get(price) ?? 0) + units);
  return counts.map((count) => {
    const total = totals.get(count.price) ?? count.units;
    return { ...count, dollars: (dollarsFor(prices[count.price], total) * count.units) / total };
  });
}

const functionCounts = ({ functions }: Usage): Count[] =>
  Object.entries(functions).flatMap(([resource, { invocations, gbSeconds, logBytes }]) => {
    const row = { stage: stageOfFunction(resource), resource };
    const logged = logBytes + invocations * PLATFORM_LOG_BYTES;
    return [
      { ...row, price: 'lambdaRequests', units: invocations },
      { ...row, price: 'lambdaGbSeconds', units: gbSeconds },
      { ...row, price: 'logGigabytes', units: logged / BYTES_PER_GB },
    ] satisfies Count[];
  });

const tableCounts = ({ tables }: Usage): Count[] =>
  Object.entries(tables).flatMap(([table, operations]) =>
    Object.entries(operations).flatMap(([operation, { readUnits, writeUnits }]) => {
      const row = { stage: stageOfTable(table, operation), resource: `${table} ${operation}` };
      return [
        { ...row, price: 'tableReadUnits', units: readUnits },
        { ...row, price: 'tableWriteUnits', units: writeUnits },
      ] satisfies Count[];
    }),
  );

const queueCounts = ({ queues, seconds }: Usage): Count[] =>
  Object.entries(queues).flatMap(([resource, { requests, isFair, isPolled }]) => {
    const units = Object.values(requests).reduce((total, count) => total + count, 0);
    const polls = isPolled ? (seconds / LONG_POLL_SECONDS) * AWS.mapping.pollersAtFirst : 0;
    const row = { stage: stageOfQueue(resource), resource };
    return [
      { ...row, price: 'queueRequests', units },
      { ...row, price: 'fairQueueRequests', units: isFair ? units : 0 },
      { stage: 'idle', resource: `${resource} polls`, price: 'queueRequests', units: polls },
    ] satisfies Count[];
  });

const gatewayCounts = ({ stages }: Usage): Count[] =>
  Object.entries(stages).flatMap(([name, { connectionMinutes, messagesIn, replies, posts }]) => [
    { stage: 'connections', resource: name, price: 'apiConnectionMinutes', units: connectionMinutes },
    { stage: 'commands', resource: `${name} in`, price: 'apiMessages', units: messagesIn },
    { stage: 'commands', resource: `${name} replies`, price: 'apiMessages', units: replies },
    { stage: 'deliver', resource: `${name} posts`, price: 'apiMessages', units: posts },
  ]);

/** They are read when an authorizer starts. */
const secretCounts = ({ secrets, seconds }: Usage): Count[] =>
  Object.entries(secrets).flatMap(([resource, { requests }]) => [
    { stage: 'idle', resource, price: 'secretMonths', units: seconds / SECONDS_PER_MONTH },
    { stage: 'connections', resource, price: 'secretRequests', units: requests },
  ]);

const otherCounts = ({ buses, schedules }: Usage): Count[] => [
  ...Object.entries(buses).map(
    ([resource, { billedEvents }]): Count => ({
      stage: 'publish',
      resource,
      price: 'busEvents',
      units: billedEvents,
    }),
  ),
  ...Object.entries(schedules).map(
    ([resource, { invocations }]): Count => ({
      stage: 'idle',
      resource,
      price: 'scheduleInvocations',
      units: invocations,
    }),
  ),
];
