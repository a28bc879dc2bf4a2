import type { Line } from './bill.ts';
import { dollarsFor, type Prices } from './prices.ts';
import { type Scenario, workOf } from './scenario.ts';

/** Another AWS service that could do the same work, with its price. */
export interface Alternative {
  readonly name: string;
  readonly parts: readonly Pick<Line, 'price' | 'units' | 'dollars'>[];
  readonly dollars: number;
  /** For a million messages received, each counted once a subscriber, without connections and subscriptions. */
  readonly dollarsPerMillionDeliveries: number;
}

/** Both meter by 5 KB: AppSync its operations, IoT Core its messages with their topic. */
const BLOCK_BYTES = 5 * 1024;
const TOPIC_BYTES = 20;
const blocks = (bytes: number): number => Math.max(1, Math.ceil(bytes / BLOCK_BYTES));

type Part = readonly [price: keyof Prices, units: number];

export const alternativesTo = (scenario: Scenario, prices: Prices): Alternative[] => [
  appSyncEvents(scenario, prices),
  iotCore(scenario, prices),
  classicChat(scenario, prices),
];

/**
 * "Event API operations": every event published, every one broadcast to a subscriber, every connect and subscribe;
 * a handler would be one more for each publish. Its own pings are not counted.
 */
function appSyncEvents(scenario: Scenario, prices: Prices): Alternative {
  const { connections, messages, deliveries } = workOf(scenario);
  const units = blocks(scenario.bytes);
  return alternative('AppSync Events', prices, deliveries, {
    delivering: [['appSyncOperations', (messages + deliveries) * units]],
    connecting: [
      ['appSyncOperations', 2 * connections],
      ['appSyncConnectionMinutes', connections * scenario.connectionMinutes],
    ],
  });
}

/** MQTT over WebSockets: published and delivered messages, CONNECT and SUBSCRIBE are metered, pings are not. */
function iotCore(scenario: Scenario, prices: Prices): Alternative {
  const { connections, messages, deliveries } = workOf(scenario);
  const units = blocks(scenario.bytes + TOPIC_BYTES);
  return alternative('IoT Core', prices, deliveries, {
    delivering: [['iotMessages', (messages + deliveries) * units]],
    connecting: [
      ['iotMessages', 2 * connections],
      ['iotConnectionMinutes', connections * scenario.connectionMinutes],
    ],
  });
}

/** A row of a connection with what it is subscribed to; the SDK's CPU for a post; 256 MB have a seventh of a processor. */
const ROW_BYTES = 100;
const READ_BYTES = 4 * 1024;
const POST_MS = 0.25 * 7;
const CHAT_MEMORY_GB = 0.25;
const CHAT_BASE_MS = 10;

/** AWS's own sample: each message scans the table of connections and posts to every one that wants it. */
function classicChat(scenario: Scenario, prices: Prices): Alternative {
  const { connections, messages, deliveries } = workOf(scenario);
  const units = Math.max(1, Math.ceil(scenario.bytes / (32 * 1024)));
  const seconds = (messages * CHAT_BASE_MS + deliveries * POST_MS) / 1000;
  return alternative('classic chat', prices, deliveries, {
    delivering: [
      ['apiMessages', deliveries * units],
      ['lambdaRequests', messages],
      ['lambdaGbSeconds', seconds * CHAT_MEMORY_GB],
      ['tableReadUnits', (messages * Math.ceil((connections * ROW_BYTES) / READ_BYTES)) / 2],
    ],
    connecting: [
      ['apiMessages', 2 * connections],
      ['lambdaRequests', 3 * connections],
      ['tableWriteUnits', 3 * connections],
      ['apiConnectionMinutes', connections * scenario.connectionMinutes],
    ],
  });
}

function alternative(
  name: string,
  prices: Prices,
  deliveries: number,
  { delivering, connecting }: { readonly delivering: readonly Part[]; readonly connecting: readonly Part[] },
): Alternative {
  const all = [...delivering, ...connecting];
  const parts = all.map(([price, units]) => {
    const total = all.reduce((sum, [other, some]) => sum + (other === price ? some : 0), 0);
    return { price, units, dollars: total > 0 ? (dollarsFor(prices[price], total) * units) / total : 0 };
  });
  const sum = (some: typeof parts): number => some.reduce((total, { dollars }) => total + dollars, 0);
  const forDelivery = sum(parts.slice(0, delivering.length));
  return {
    name,
    parts,
    dollars: sum(parts),
    dollarsPerMillionDeliveries: deliveries > 0 ? (forDelivery / deliveries) * 1_000_000 : 0,
  };
}
