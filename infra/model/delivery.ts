import type { Dice } from './dice.ts';
import { Limiter } from './limiter.ts';
import type { Parameters } from './parameters.ts';
import { Simulation } from './simulation.ts';
import { Workers } from './workers.ts';

/** One message on its way to all subscribers of a topic. Times are milliseconds since it was published. */
export interface Delivery {
  /** When each subscriber has it, in the order of the subscribers. */
  readonly receivedAtMs: Float64Array;
  /** When the post to each subscriber began. */
  readonly postedAtMs: Float64Array;
  /** When the fan-out's code begins to run. */
  readonly startedAtMs: number;
  readonly resolvedAtMs: number;
  /** When the last job is in the queue; `resolvedAtMs` if there are no jobs. */
  readonly queuedAtMs: number;
  readonly jobs: number;
  readonly shards: number;
  readonly environments: number;
  readonly invocations: number;
  /** Lambda time of all delivery workers together, cold starts included. */
  readonly workerMs: number;
  readonly fanOutMs: number;
  readonly waits: Waits;
}

/** Milliseconds spent waiting for a limit. */
export interface Waits {
  /** All posts together, for their turn in the budget of posts. */
  readonly posts: number;
  /** All posts together, after their turn, for their worker's processor to begin them. */
  readonly processors: number;
  /** The queue of jobs, for the mapping to add a poller. */
  readonly workers: number;
  /** The fan-out's readers, on average, for read units of the table. */
  readonly tables: number;
}

/** A run of subscribers that one worker posts to: the first, and the one after the last. */
export interface Job {
  readonly from: number;
  readonly to: number;
}

export function simulateDelivery(subscribers: number, parameters: Parameters, dice: Dice): Delivery {
  const { bus, queue, lambda, fanwire } = parameters;
  const simulation = new Simulation();
  const workers = new Workers(subscribers, parameters, { simulation, dice });
  const isInline = subscribers <= fanwire.inlineMax;
  const invokedAtMs = dice(bus) + dice(queue.poll);
  const startedAtMs = invokedAtMs + (lambda.warm > 0 ? 0 : dice(lambda.coldStart));
  const reads = resolve(subscribers, startedAtMs, parameters, dice);
  const resolvedAtMs = reads.endMs + subscribers * fanwire.subscriberCpuMs;
  const jobs = isInline ? [] : jobsOf(subscribers, fanwire.jobConnectionsMax);
  let queuedAtMs = resolvedAtMs;
  if (isInline) {
    simulation.at(resolvedAtMs, () => workers.postHere({ from: 0, to: subscribers }));
  } else {
    for (let sent = 0; sent < jobs.length; sent += queue.sendBatchMax) {
      queuedAtMs += dice(queue.send);
      const batch = jobs.slice(sent, sent + queue.sendBatchMax);
      simulation.at(queuedAtMs, () => workers.add(batch));
    }
  }
  simulation.run();
  const inlineMs = isInline ? Math.max(0, ...workers.receivedAtMs) - resolvedAtMs : 0;
  return {
    ...{ receivedAtMs: workers.receivedAtMs, postedAtMs: workers.postedAtMs },
    ...{ startedAtMs, resolvedAtMs, queuedAtMs },
    ...{ jobs: jobs.length, shards: reads.shards, environments: workers.environments },
    ...{ invocations: workers.invocations, workerMs: workers.busyMs },
    fanOutMs: queuedAtMs - invokedAtMs + inlineMs + lambda.overheadMs,
    waits: { ...workers.waits, tables: reads.waitedMs },
  };
}

const jobsOf = (subscribers: number, size: number): Job[] =>
  Array.from({ length: Math.ceil(subscribers / size) }, (_, index) => ({
    from: index * size,
    to: Math.min(subscribers, (index + 1) * size),
  }));

const READ_BYTES = 4 * 1024;
/** A Query answers with at most 1 MB. */
const PAGE_BYTES = 1024 * 1024;

interface Reads {
  readonly endMs: number;
  readonly shards: number;
  /** How long a reader waited for read units, on average. */
  readonly waitedMs: number;
}

/**
 * One BatchGet of the topic's items and beside it a Query of the first shard, then one of every other shard, some at a
 * time and each page by page.
 */
function resolve(subscribers: number, startMs: number, { tables, fanwire }: Parameters, dice: Dice): Reads {
  const { shardSubscribersMax, shardsMax, shardsInFlightMax, rowBytes } = fanwire;
  const isSplit = subscribers > shardSubscribersMax;
  const shards = isSplit ? Math.min(shardsMax, Math.ceil((2 * subscribers) / shardSubscribersMax)) : 1;
  const bytes = (subscribers / shards) * rowBytes;
  const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
  const units = Math.max(1, Math.ceil(bytes / pages / READ_BYTES));
  const limiter = new Limiter(tables.readUnits);
  const partitionMs = (units / tables.partitionReadUnitsPerSecond) * 1_000;
  const lookedUpMs = startMs + dice(tables.read);
  const readers = new Float64Array(Math.min(shards, shardsInFlightMax)).fill(lookedUpMs);
  readers[0] = startMs;
  for (let shard = 0; shard < shards; shard++) {
    // The reader that is free first; the limiter is asked in the order of time.
    const reader = readers.indexOf(Math.min(...readers));
    for (let page = 0; page < pages; page++) {
      const atMs = limiter.take(readers[reader] ?? 0, units);
      const transferMs = bytes / pages / tables.bytesPerMs;
      readers[reader] = atMs + dice(tables.read) + Math.max(transferMs, pages > 1 ? partitionMs : 0);
    }
  }
  return { endMs: Math.max(lookedUpMs, ...readers), shards, waitedMs: limiter.waitedMs / readers.length };
}
