import { SWEPT_MAX } from '../../shared/data/connections.ts';
import { FRESH_MS, SHARDS_MAX } from '../../shared/data/shards.ts';
import { BILLING_UNIT_BYTES } from '../../shared/delivery/frames.ts';
import { LEASE_MS } from '../../shared/delivery/turns.ts';
import { patternsCovering, type Topic } from '../../shared/protocol/topic.ts';
import { BATCH_ENTRIES_MAX } from '../../shared/queues/entries.ts';
import { JOB_CONNECTIONS_MAX } from '../../shared/queues/job.ts';
import type { FunctionUsage, QueueUsage, TableUsage, Usage } from '../local/meter/meter.ts';
import { eventUnits, messageUnits, requestUnits } from '../local/meter/units.ts';
import { DEFAULTS } from '../settings.ts';
import { DELIVERY_BATCH_MAX, ROUTE_MEMORY_MB, SWEEP_PERIOD_SECONDS, WORKER_MEMORY_MB } from '../sizes.ts';
import { AWS, POST_CPU_MS, SUBSCRIPTION_ROW_BYTES } from './parameters.ts';

/** A steady load on topics of equal size. */
export interface Scenario {
  /** Subscribers of each topic; a connection subscribes to one topic. */
  readonly subscribers: number;
  readonly topics: number;
  /** Messages a second, published to each topic. */
  readonly rate: number;
  /** Bytes of a message's data. */
  readonly bytes: number;
  /** Messages of a topic that go out in one frame. */
  readonly coalesced: number;
  readonly seconds: number;
  /** Minutes that each connection stays open. */
  readonly connectionMinutes: number;
  /** Whether the topics keep history. */
  readonly history?: boolean;
  /** Whether clients publish, with the SDK and so with keys; otherwise back ends do, without. */
  readonly byClients?: boolean;
}

/** The topics of a scenario have two segments. */
const PATTERNS = patternsCovering('chat/lobby' as Topic).length;
/** A worker takes part of the shared schedule of posts for so many of them. */
const LEASE_POSTS = (AWS.gateway.posts.perSecond * LEASE_MS) / 1_000;
/** For so long an environment of `subscribe` knows a topic that it has read. */
const TOPIC_FRESH_SECONDS = FRESH_MS / 1_000;

/** Bytes beside a message's data, as counted on `chat/lobby`. */
const EVENT_BYTES = 110;
const ENVELOPE_BYTES = 260;
const MESSAGE_BYTES = 190;
const JOB_BYTES = 150;
/** A quoted connection id and its comma. */
const ID_BYTES = 19;
const CONNECTION_ROW_BYTES = 160;
const READ_BYTES = 4 * 1024;
const WRITE_BYTES = 1024;
/** Of an entry in a topic's log, beside the message. */
const ENTRY_BYTES = 120;

/** Milliseconds of warm functions: measured on this runtime or assumed. */
const ROUTE_MS = 10;
/** It verifies a token, and calls nobody once it has the keys. */
const AUTHORIZE_MS = 5;
const FAN_OUT_MS = 15;
/** Allocate, claim and write, one after the other: where the message is numbered. */
const SEQUENCE_MS = 15;
const WORKER_MS = 5;
/** What a function prints an invocation: one line of JSON. */
const WORKER_LOG_BYTES = 250;

/** How a message of the scenario goes through the system. */
interface Work {
  readonly connections: number;
  readonly messages: number;
  /** Invocations of the fan-out, each for the messages that go out together. */
  readonly frames: number;
  readonly posts: number;
  readonly deliveries: number;
  /** A frame's jobs; none if the fan-out serves its few subscribers itself. */
  readonly jobs: number;
  readonly jobBytes: number;
  readonly shards: number;
  readonly readUnits: number;
}

export function workOf(scenario: Scenario): Work {
  const { subscribers, topics, rate, bytes, coalesced, seconds } = scenario;
  const messages = topics * rate * seconds;
  const frames = messages / coalesced;
  const { inlineSubscribersMax, subscribersPerShardMax } = DEFAULTS;
  const isSmall = subscribers <= inlineSubscribersMax;
  const shards =
    subscribers <= subscribersPerShardMax
      ? 1
      : Math.min(SHARDS_MAX, Math.ceil((2 * subscribers) / subscribersPerShardMax));
  const shardUnits = Math.ceil(((subscribers / shards) * SUBSCRIPTION_ROW_BYTES) / READ_BYTES);
  return {
    connections: subscribers * topics,
    messages,
    frames,
    posts: frames * subscribers * postsPerFrame(coalesced, bytes),
    deliveries: messages * subscribers,
    jobs: isSmall ? 0 : Math.ceil(subscribers / JOB_CONNECTIONS_MAX),
    jobBytes: JOB_BYTES + coalesced * (MESSAGE_BYTES + bytes) + JOB_CONNECTIONS_MAX * ID_BYTES,
    shards,
    readUnits: shards * Math.max(1, shardUnits),
  };
}

/** Messages are packed into frames of at most 32 KB; one that is longer is several for API Gateway's meter. */
function postsPerFrame(coalesced: number, bytes: number): number {
  const size = MESSAGE_BYTES + bytes;
  if (size > BILLING_UNIT_BYTES) return coalesced * messageUnits(size);
  return Math.ceil(coalesced / Math.floor(BILLING_UNIT_BYTES / size));
}

/** The usage of a scenario by formula, its connections' coming and going included. */
export function usageOf(scenario: Scenario): Usage {
  const work = workOf(scenario);
  const { connections, messages, frames, posts, shards, readUnits } = work;
  const { bytes, seconds } = scenario;
  const byClients = scenario.byClients ? messages : 0;
  const sequenceMs = scenario.history ? SEQUENCE_MS : 0;
  const sends = sendsOf(work);
  const deliveries = work.jobs === 0 ? 0 : frames * Math.ceil(work.jobs / DELIVERY_BATCH_MAX);
  const postMs = posts * POST_CPU_MS;
  const inline = work.jobs === 0;
  return {
    since: '',
    seconds,
    functions: {
      authorize: functionUsage(connections, AUTHORIZE_MS, ROUTE_MEMORY_MB),
      connect: functionUsage(connections, ROUTE_MS, ROUTE_MEMORY_MB),
      disconnect: functionUsage(connections, ROUTE_MS, ROUTE_MEMORY_MB),
      subscribe: functionUsage(connections, ROUTE_MS, ROUTE_MEMORY_MB),
      ...(byClients > 0 && { publish: functionUsage(byClients, ROUTE_MS + sequenceMs, ROUTE_MEMORY_MB) }),
      fanout: workerUsage(frames, FAN_OUT_MS + (byClients > 0 ? 0 : sequenceMs), inline ? postMs : 0),
      deliver: workerUsage(deliveries, WORKER_MS, inline ? 0 : postMs),
      sweep: functionUsage(seconds / SWEEP_PERIOD_SECONDS, sweepMs(connections), ROUTE_MEMORY_MB),
    },
    tables: {
      connections: {
        PutItem: writes(connections),
        UpdateItem: writes(connections),
        DeleteItem: writes(connections),
        Scan: reads(seconds / SWEEP_PERIOD_SECONDS, sweepUnits(connections)),
      },
      subscriptions: {
        PutItem: writes(connections),
        BatchWriteItem: writes(connections),
        Query: reads(frames * shards, readUnits / shards),
      },
      topics: {
        GetItem: reads(Math.min(connections, scenario.topics * (1 + seconds / TOPIC_FRESH_SECONDS)), 0.5),
        BatchGetItem: reads(frames, PATTERNS),
        // A client's message allocates its offset by itself; the fan-out allocates those of a batch together.
        UpdateItem: writes(
          Math.max(frames, posts / LEASE_POSTS) + (scenario.history ? byClients || frames : 0),
        ),
      },
      ...(scenario.history && { messages: { PutItem: logWrites(messages, byClients, bytes) } }),
    },
    queues: {
      ingest: queue({
        SendMessage: messages * requestUnits(ENVELOPE_BYTES + bytes),
        ReceiveMessage: frames * requestUnits(scenario.coalesced * (ENVELOPE_BYTES + bytes)),
        DeleteMessageBatch: frames,
      }),
      delivery: queue(
        {
          SendMessageBatch: frames * sends,
          ReceiveMessage:
            deliveries * requestUnits((work.jobs / perFrame(deliveries, frames)) * work.jobBytes),
          DeleteMessageBatch: deliveries,
        },
        true,
      ),
      slow: queue({}, true),
    },
    buses: { bus: { events: messages, billedEvents: messages * eventUnits(EVENT_BYTES + bytes) } },
    stages: {
      prod: {
        connections,
        connectionMinutes: connections * scenario.connectionMinutes,
        messagesIn: connections + byClients,
        replies: connections + byClients,
        posts,
        refusals: 0,
      },
    },
    schedules: { sweepSchedule: { invocations: seconds / SWEEP_PERIOD_SECONDS } },
    secrets: {},
  };
}

/** Billed requests that send a frame's jobs, ten in one. */
function sendsOf({ jobs, jobBytes }: Work): number {
  const full = Math.floor(jobs / BATCH_ENTRIES_MAX);
  const rest = jobs % BATCH_ENTRIES_MAX;
  return full * requestUnits(BATCH_ENTRIES_MAX * jobBytes) + (rest > 0 ? requestUnits(rest * jobBytes) : 0);
}

const perFrame = (deliveries: number, frames: number): number =>
  Math.max(1, deliveries / Math.max(1, frames));

const sweepUnits = (connections: number): number =>
  Math.ceil((Math.min(connections, SWEPT_MAX) * CONNECTION_ROW_BYTES) / READ_BYTES) / 2;
/** 32 at a time, each about 10 ms. */
const sweepMs = (connections: number): number => 20 + (Math.min(connections, SWEPT_MAX) / 32) * 10;

/** A message claims its offset, and is written there; if it has a key, a worker notes who brings it. */
const logWrites = (messages: number, keyed: number, bytes: number): TableUsage => ({
  requests: 2 * messages + keyed,
  readUnits: 0,
  writeUnits: messages * (1 + Math.ceil((ENTRY_BYTES + MESSAGE_BYTES + bytes) / WRITE_BYTES)) + keyed,
});

const writes = (count: number): TableUsage => ({ requests: count, readUnits: 0, writeUnits: count });
const reads = (requests: number, unitsEach: number): TableUsage => ({
  requests,
  readUnits: requests * unitsEach,
  writeUnits: 0,
});
const queue = (requests: QueueUsage['requests'], isFair = false): QueueUsage => ({
  requests,
  isFair,
  isPolled: true,
});

const workerUsage = (invocations: number, baseMs: number, postMs: number): FunctionUsage =>
  functionUsage(invocations, baseMs + postMs / Math.max(1, invocations), WORKER_MEMORY_MB, WORKER_LOG_BYTES);

function functionUsage(invocations: number, ms: number, memoryMb: number, logBytes = 0): FunctionUsage {
  const durationMs = invocations * ms;
  return {
    ...{ invocations, errors: 0, coldStarts: 0, initMs: 0, durationMs, durationMaxMs: ms, timeoutMs: 0 },
    ...{ memoryMb, heapBytesMax: 0, logBytes: logBytes * invocations },
    gbSeconds: (durationMs * memoryMb) / (1000 * 1024),
  };
}
