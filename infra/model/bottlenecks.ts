import type { Connecting } from './connecting.ts';
import type { Delivery } from './delivery.ts';
import type { Parameters } from './parameters.ts';

/** The limit that accounts for most of a stage's time. */
export interface StageLimit {
  readonly stage: 'connect and subscribe' | 'resolve' | 'queue jobs' | 'deliver';
  readonly endMs: number;
  readonly limit: string;
}

export function connectingLimit(connecting: Connecting, { gateway, tables }: Parameters): StageLimit {
  const { connections, partition, tables: table } = connecting.waits;
  return {
    stage: 'connect and subscribe',
    endMs: last(connecting.subscribedAtMs),
    limit: largest('latency alone', {
      [`API Gateway: ${gateway.connections.perSecond} new connections/s`]: connections,
      [`DynamoDB: ${tables.partitionWriteUnitsPerSecond} writes/s of the topic's one shard`]: partition,
      [`DynamoDB: ${tables.writeUnits.perSecond} writes/s of a new table`]: table,
    }),
  };
}

export const fanOutLimit = ({ startedAtMs, resolvedAtMs, waits }: Delivery): StageLimit => ({
  stage: 'resolve',
  endMs: resolvedAtMs,
  limit: largest('latency alone', {
    'EventBridge, SQS and the start of a function': startedAtMs,
    'DynamoDB: read units of a new table': waits.tables,
    "Lambda: the fan-out's processor": resolvedAtMs - startedAtMs - waits.tables,
  }),
});

export const queueLimit = ({ queuedAtMs, jobs }: Delivery, { queue }: Parameters): StageLimit => ({
  stage: 'queue jobs',
  endMs: queuedAtMs,
  limit: `one SendMessageBatch after the other, ${Math.ceil(jobs / queue.sendBatchMax)} in all`,
});

export function deliveryLimit(
  { receivedAtMs, queuedAtMs, waits }: Delivery,
  { gateway, mapping, lambda }: Parameters,
): StageLimit {
  const endMs = last(receivedAtMs);
  const postingMs = (receivedAtMs.length / gateway.posts.perSecond) * 1_000;
  // A few posts wait for the pace, too: it is the limit only if its waits are longer than those for processors.
  const paced = waits.posts > waits.processors ? postingMs : 0;
  return {
    stage: 'deliver',
    endMs,
    limit: largest('latency alone', {
      [`API Gateway: ${gateway.posts.perSecond} posts/s of the account's quota`]: paced,
      'Lambda: the processors of the workers': waits.processors > waits.posts ? endMs - queuedAtMs : 0,
      [`Lambda: ${mapping.pollersAtFirst} pollers to begin with`]: waits.workers,
      'Lambda: cold starts': lambda.warm > 0 ? 0 : lambda.coldStart.p50,
    }),
  };
}

function last(times: Float64Array): number {
  return times.reduce((latest, time) => Math.max(latest, time), 0);
}

/** The name of what is largest, or `otherwise` if there is nothing. */
function largest(otherwise: string, amounts: Readonly<Record<string, number>>): string {
  const [first] = Object.entries(amounts).toSorted(([, one], [, other]) => other - one);
  return first && first[1] > 0 ? first[0] : otherwise;
}
