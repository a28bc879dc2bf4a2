import { SHARDS_IN_FLIGHT_MAX, SHARDS_MAX } from '../../shared/data/shards.ts';
import { ASKED_SHARE } from '../../shared/delivery/pace.ts';
import { POSTS_IN_FLIGHT_MAX } from '../../shared/delivery/post.ts';
import { BATCH_ENTRIES_MAX } from '../../shared/queues/entries.ts';
import { JOB_CONNECTIONS_MAX } from '../../shared/queues/job.ts';
import { DEFAULTS } from '../settings.ts';
import { DELIVERY_BATCH_MAX, WORKER_MEMORY_MB } from '../sizes.ts';

/**
 * What the model takes for true of AWS and of Fanwire. Times are milliseconds. Each value names its page of AWS's
 * documentation, its measurement, or says that it is an assumption.
 */

/** A latency by two of its percentiles; in between it is log-normal. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}
export interface Rate {
  readonly perSecond: number;
  /** How many may come at once after a pause. */
  readonly burst: number;
}

export interface Parameters {
  readonly gateway: {
    /** New connections of the account. */
    readonly connections: Rate;
    /** Posts of all workers: their budget, which must fit into the quota of requests. */
    readonly posts: Rate;
    readonly post: Latency;
    readonly handshake: Latency;
  };
  readonly bus: Latency;
  readonly queue: {
    readonly send: Latency;
    /** From a message's being in the queue to its function's start. */
    readonly poll: Latency;
    readonly sendBatchMax: number;
  };
  readonly mapping: {
    readonly pollersAtFirst: number;
    readonly pollersPerMinute: number;
    readonly concurrencyMax: number;
    /** Jobs in one invocation. */
    readonly batchMax: number;
  };
  readonly lambda: {
    readonly coldStart: Latency;
    /** New environments of one function. */
    readonly environments: Rate;
    readonly concurrencyMax: number;
    /** Environments of each function that are ready when the message is published. */
    readonly warm: number;
    /** Time of an invocation beside its work. */
    readonly overheadMs: number;
    readonly memoryGb: number;
    /** Duration of a route's invocation. */
    readonly route: Latency;
  };
  readonly tables: {
    readonly read: Latency;
    readonly bytesPerMs: number;
    readonly readUnits: Rate;
    readonly partitionReadUnitsPerSecond: number;
    readonly partitionWriteUnitsPerSecond: number;
    readonly writeUnits: Rate;
  };
  readonly fanwire: {
    readonly inlineMax: number;
    readonly jobConnectionsMax: number;
    /** Posts that one worker has under way. */
    readonly postsInFlightMax: number;
    readonly shardSubscribersMax: number;
    readonly shardsMax: number;
    readonly shardsInFlightMax: number;
    readonly rowBytes: number;
    /** A worker's processor, for one post and for one subscriber that the fan-out reads and writes into a job. */
    readonly postCpuMs: number;
    readonly subscriberCpuMs: number;
  };
}

/** Lambda guide, "Memory": with 1,769 MB a function has one whole processor, with less its share of it. */
const WORKER_PROCESSORS = WORKER_MEMORY_MB / 1_769;

/** A subscription's row as the shard's Query counts it, for a topic like `chat/lobby`. */
export const SUBSCRIPTION_ROW_BYTES = 66;

/** What one post takes of a worker's processor: measured on this runtime, 0.04 ms of a whole one. */
export const POST_CPU_MS = 0.04 / WORKER_PROCESSORS;

const NEVER_LIMITED: Rate = { perSecond: 1e9, burst: 1e9 };

/** us-east-1, an account with the default quotas, a new table, and nothing warm. */
export const AWS: Parameters = {
  gateway: {
    // API Gateway guide, "Amazon API Gateway quotas": 500 new connections a second. A burst of as many is assumed.
    connections: { perSecond: 500, burst: 500 },
    // The same page: 10,000 requests a second of the account. Fanwire's budget for posts is 8,000 of them
    // (`requestsPerSecondMax`), of which its pace leaves a little to single posts.
    posts: { perSecond: Math.floor(DEFAULTS.requestsPerSecondMax * ASKED_SHARE), burst: 1 },
    // Assumption: nobody publishes it. Field reports are of 5 to 50 ms.
    post: { p50: 12, p99: 60 },
    handshake: { p50: 60, p99: 300 },
  },
  // Measured by a third party, to a function (bitesizedserverless.com, 2023).
  bus: { p50: 148, p99: 387 },
  queue: {
    // Assumption.
    send: { p50: 12, p99: 60 },
    // The same third party.
    poll: { p50: 16, p99: 105 },
    sendBatchMax: BATCH_ENTRIES_MAX,
  },
  mapping: {
    // Lambda guide, "Configuring scaling behavior for SQS event source mappings", as of 2026. Until 2023 it was 60.
    pollersAtFirst: 5,
    pollersPerMinute: 300,
    concurrencyMax: DEFAULTS.deliveryWorkersMax,
    batchMax: DELIVERY_BATCH_MAX,
  },
  lambda: {
    // Assumption, for a bundle of 350 KB and half a gigabyte.
    coldStart: { p50: 250, p99: 600 },
    // Lambda guide, "Lambda scaling behavior": 1,000 environments every 10 seconds, refilled continuously.
    environments: { perSecond: 100, burst: 1_000 },
    // Lambda guide, "Lambda quotas".
    concurrencyMax: 1_000,
    warm: 0,
    overheadMs: 5,
    memoryGb: WORKER_MEMORY_MB / 1_024,
    route: { p50: 12, p99: 60 },
  },
  tables: {
    // DynamoDB promises "single-digit milliseconds".
    read: { p50: 4, p99: 15 },
    // Assumption: a page of 1 MB takes 50 ms.
    bytesPerMs: 20_000,
    // DynamoDB guide, "On-demand capacity mode": a new table starts with 12,000 reads and 4,000 writes a second.
    readUnits: { perSecond: 12_000, burst: 1 },
    writeUnits: { perSecond: 4_000, burst: 1 },
    // DynamoDB guide, "Designing partition keys": 3,000 read and 1,000 write units.
    partitionReadUnitsPerSecond: 3_000,
    partitionWriteUnitsPerSecond: 1_000,
  },
  fanwire: {
    inlineMax: DEFAULTS.inlineSubscribersMax,
    jobConnectionsMax: JOB_CONNECTIONS_MAX,
    postsInFlightMax: POSTS_IN_FLIGHT_MAX,
    shardSubscribersMax: DEFAULTS.subscribersPerShardMax,
    shardsMax: SHARDS_MAX,
    shardsInFlightMax: SHARDS_IN_FLIGHT_MAX,
    rowBytes: SUBSCRIPTION_ROW_BYTES,
    postCpuMs: POST_CPU_MS,
    // Measured as well: 0.001 ms of a whole processor.
    subscriberCpuMs: 0.001 / WORKER_PROCESSORS,
  },
};

/** An account whose quotas AWS has raised, and the settings to make use of that. */
export const withQuotas = (
  { gateway, mapping, ...others }: Parameters,
  quotas: {
    readonly postsPerSecond?: number;
    readonly connectionsPerSecond?: number;
    readonly workersMax?: number;
  },
): Parameters => ({
  ...others,
  gateway: {
    ...gateway,
    posts: { ...gateway.posts, perSecond: quotas.postsPerSecond ?? gateway.posts.perSecond },
    connections: {
      ...gateway.connections,
      perSecond: quotas.connectionsPerSecond ?? gateway.connections.perSecond,
    },
  },
  mapping: { ...mapping, concurrencyMax: quotas.workersMax ?? mapping.concurrencyMax },
});

/** For the local runtime on this machine, with times as `measured`; everything else is instant and without limits. */
export function localParameters(measured: {
  readonly pathMs: number;
  readonly hopMs: number;
  readonly postsPerSecond: number;
  readonly postMs: number;
}): Parameters {
  const nothing: Latency = { p50: 0, p99: 0 };
  const exactly = (ms: number): Latency => ({ p50: ms, p99: ms });
  return {
    gateway: {
      connections: NEVER_LIMITED,
      posts: { perSecond: measured.postsPerSecond, burst: 1 },
      post: exactly(measured.postMs),
      handshake: nothing,
    },
    bus: exactly(measured.pathMs),
    queue: { send: nothing, poll: exactly(measured.hopMs), sendBatchMax: AWS.queue.sendBatchMax },
    mapping: { ...AWS.mapping, pollersPerMinute: 0 },
    lambda: { ...AWS.lambda, coldStart: nothing, environments: NEVER_LIMITED, overheadMs: 0, route: nothing },
    tables: {
      ...AWS.tables,
      read: nothing,
      bytesPerMs: Number.POSITIVE_INFINITY,
      readUnits: NEVER_LIMITED,
      writeUnits: NEVER_LIMITED,
    },
    fanwire: { ...AWS.fanwire, postCpuMs: 0, subscriberCpuMs: 0 },
  };
}
