import type { Clock } from '../clock.ts';
import type { TableMeter } from '../dynamodb/meter.ts';
import type { BusMeter } from '../eventbridge/meter.ts';
import type { FunctionMeter } from '../lambda/meter.ts';
import type { ScheduleMeter } from '../scheduler/meter.ts';
import type { SecretMeter } from '../secretsmanager/meter.ts';
import type { QueueMeter } from '../sqs/meter.ts';
import type { Names } from '../stack/names.ts';
import { StageCounts } from './stage.ts';
import { eventUnits, requestUnits } from './units.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What `GET /_fanwire/usage` answers: the operations since the start, or since `DELETE /_fanwire/usage`, counted as AWS
 * meters them. Resources have the names that the CDK app gives them.
 */
export interface Usage {
  /** ISO 8601. */
  readonly since: string;
  readonly seconds: number;
  readonly functions: Readonly<Record<string, FunctionUsage>>;
  /** By table and operation of the DynamoDB API; what its indexes take is under `indexes`. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, TableUsage>>>>;
  readonly queues: Readonly<Record<string, QueueUsage>>;
  readonly buses: Readonly<Record<string, BusUsage>>;
  readonly stages: Readonly<Record<string, StageUsage>>;
  readonly schedules: Readonly<Record<string, ScheduleUsage>>;
  /** All that there are: each is billed by the time that it is kept. */
  readonly secrets: Readonly<Record<string, SecretUsage>>;
}

export interface FunctionUsage {
  readonly invocations: number;
  /** Invocations that threw, crashed or ran out of time: they are billed too. */
  readonly errors: number;
  readonly coldStarts: number;
  /** Of cold starts, which are billed since August 2025. */
  readonly initMs: number;
  /** Each invocation rounded up to a millisecond. As fast as this machine is, not as fast as Lambda. */
  readonly durationMs: number;
  readonly gbSeconds: number;
  readonly durationMaxMs: number;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** The largest heap of an environment after an invocation. Lambda counts the Node process too, about 60 MB. */
  readonly heapBytesMax: number;
  /** What the function printed; Lambda adds its own lines. */
  readonly logBytes: number;
}

export interface TableUsage {
  readonly requests: number;
  readonly readUnits: number;
  readonly writeUnits: number;
}

export interface QueueUsage {
  /** By SQS action, in requests as they are billed: one for every 64 KB of payload. */
  readonly requests: Readonly<Record<string, number>>;
  /** Messages of it had a MessageGroupId, so it is billed as a fair queue. */
  readonly isFair: boolean;
  /** An event source mapping polls it; on AWS that goes on while it is empty. */
  readonly isPolled: boolean;
}

interface BusUsage {
  /** Entries that PutEvents took. */
  readonly events: number;
  /** One for every 64 KB of an entry. Delivery to targets in the same account is free. */
  readonly billedEvents: number;
}

export interface StageUsage {
  readonly connections: number;
  readonly connectionMinutes: number;
  /** In 32 KB units, like the two below: messages of clients. */
  readonly messagesIn: number;
  /** Route responses, and what the gateway itself tells clients. */
  readonly replies: number;
  /** Posts to @connections that were answered with 200. */
  readonly posts: number;
  /** Calls to @connections that were not: 410, 413, 429. */
  readonly refusals: number;
}

interface ScheduleUsage {
  readonly invocations: number;
}

interface SecretUsage {
  readonly requests: number;
}

/** What `Lambda` is billed by, and what the usage of a function begins with. */
interface MeteredFunction {
  readonly name: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

interface MeterOptions {
  readonly clock: Clock;
  readonly functions: readonly MeteredFunction[];
  /** Names of queues that an event source mapping polls. */
  readonly polledQueues: ReadonlySet<string>;
  /** Names of all secrets. */
  readonly secrets?: readonly string[];
  readonly names: Pick<Names, 'shortName'>;
}

type MutableFunction = Mutable<Omit<FunctionUsage, 'gbSeconds'>>;
type MutableQueue = Mutable<QueueUsage> & { requests: Record<string, number> };

interface Counters {
  readonly functions: Map<string, MutableFunction>;
  readonly tables: Map<string, Map<string, Mutable<TableUsage>>>;
  readonly queues: Map<string, MutableQueue>;
  readonly buses: Map<string, Mutable<BusUsage>>;
  readonly schedules: Map<string, Mutable<ScheduleUsage>>;
  readonly secrets: Map<string, Mutable<SecretUsage>>;
}

const noCounters = ({ secrets = [] }: Pick<MeterOptions, 'secrets'>): Counters => ({
  functions: new Map(),
  tables: new Map(),
  queues: new Map(),
  buses: new Map(),
  schedules: new Map(),
  secrets: new Map(secrets.map((name) => [name, { requests: 0 }])),
});

const MS_PER_SECOND = 1000;
const MB_PER_GB = 1024;

/** Counts what the engines do as AWS would bill it. They tell it; it keeps nothing on disk. */
export class Meter implements BusMeter, FunctionMeter, QueueMeter, ScheduleMeter, SecretMeter, TableMeter {
  readonly #options: MeterOptions;
  readonly #functions: ReadonlyMap<string, MeteredFunction>;
  readonly #stages = new Map<string, StageCounts>();
  #counters: Counters;
  #sinceMs: number;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#counters = noCounters(options);
    this.#functions = new Map(options.functions.map((each) => [each.name, each]));
    this.#sinceMs = options.clock.now();
  }

  initialised(functionName: string, ms: number): void {
    const usage = this.#function(functionName);
    usage.coldStarts++;
    usage.initMs += Math.ceil(ms);
  }

  invoked(functionName: string, ms: number, isOk: boolean, heapBytes: number): void {
    const usage = this.#function(functionName);
    usage.invocations++;
    if (!isOk) usage.errors++;
    usage.durationMs += Math.ceil(ms);
    usage.durationMaxMs = Math.max(usage.durationMaxMs, Math.ceil(ms));
    usage.heapBytesMax = Math.max(usage.heapBytesMax, heapBytes);
  }

  logged(functionName: string, bytes: number): void {
    this.#function(functionName).logBytes += bytes;
  }

  consumed(table: string, operation: string, kind: 'readUnits' | 'writeUnits', units: number): void {
    const operations = entry(this.#counters.tables, table, () => new Map<string, Mutable<TableUsage>>());
    const usage = entry(operations, operation, () => ({ requests: 0, readUnits: 0, writeUnits: 0 }));
    usage.requests++;
    usage[kind] += units;
  }

  requested(queue: string, action: string, payloadBytes = 0, isGrouped = false): void {
    const usage = entry(
      this.#counters.queues,
      queue,
      (): MutableQueue => ({
        requests: {},
        isFair: false,
        isPolled: this.#options.polledQueues.has(queue),
      }),
    );
    usage.requests[action] = (usage.requests[action] ?? 0) + requestUnits(payloadBytes);
    usage.isFair ||= isGrouped;
  }

  published(bus: string, bytes: number): void {
    const usage = entry(this.#counters.buses, bus, () => ({ events: 0, billedEvents: 0 }));
    usage.events++;
    usage.billedEvents += eventUnits(bytes);
  }

  ran(schedule: string): void {
    entry(this.#counters.schedules, schedule, () => ({ invocations: 0 })).invocations++;
  }

  called(secret: string): void {
    entry(this.#counters.secrets, secret, () => ({ requests: 0 })).requests++;
  }

  /** For the gateway of one stage. */
  stage(name: string): StageCounts {
    return entry(this.#stages, name, () => new StageCounts(this.#options.clock));
  }

  report(): Usage {
    const { clock } = this.#options;
    const { functions, tables, queues, buses, schedules, secrets } = this.#counters;
    return {
      since: new Date(this.#sinceMs).toISOString(),
      seconds: (clock.now() - this.#sinceMs) / MS_PER_SECOND,
      functions: this.#named('AWS::Lambda::Function', functions, (usage) => ({
        ...usage,
        gbSeconds: gbSeconds(usage),
      })),
      tables: this.#named('AWS::DynamoDB::Table', tables, (operations) => Object.fromEntries(operations)),
      queues: this.#named('AWS::SQS::Queue', queues, (usage) => ({
        ...usage,
        requests: { ...usage.requests },
      })),
      buses: this.#named('AWS::Events::EventBus', buses, (usage) => ({ ...usage })),
      // A stage is part of the URL: people know it by its own name.
      stages: Object.fromEntries([...this.#stages].map(([name, stage]) => [name, stage.report()])),
      schedules: this.#named('AWS::Scheduler::Schedule', schedules, (usage) => ({ ...usage })),
      secrets: this.#named('AWS::SecretsManager::Secret', secrets, (usage) => ({ ...usage })),
    };
  }

  /** From now on everything is counted from zero; connections that are open stay open. */
  reset(): void {
    this.#counters = noCounters(this.#options);
    this.#sinceMs = this.#options.clock.now();
    for (const stage of this.#stages.values()) stage.reset();
  }

  #function(name: string): MutableFunction {
    const { timeoutMs = 0, memoryMb = 0 } = this.#functions.get(name) ?? {};
    return entry(this.#counters.functions, name, () => ({
      ...{ invocations: 0, errors: 0, coldStarts: 0, initMs: 0, durationMs: 0 },
      ...{ durationMaxMs: 0, timeoutMs, memoryMb, heapBytesMax: 0, logBytes: 0 },
    }));
  }

  /** By what the CDK app calls the resources. */
  #named<T, R>(type: string, counters: ReadonlyMap<string, T>, report: (usage: T) => R): Record<string, R> {
    const { names } = this.#options;
    const entries = [...counters].map(([name, usage]) => [names.shortName(type, name), report(usage)]);
    return Object.fromEntries(entries);
  }
}

const gbSeconds = ({ initMs, durationMs, memoryMb }: Omit<FunctionUsage, 'gbSeconds'>): number =>
  ((initMs + durationMs) * memoryMb) / (MS_PER_SECOND * MB_PER_GB);

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = create();
  map.set(key, made);
  return made;
}
