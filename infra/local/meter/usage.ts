/**
 * What `GET /_fanwire/usage` answers: the operations since the start, or since `DELETE /_fanwire/usage`, counted as AWS
 * meters them. Resources have the names that the CDK app gives them. README, "What it costs", says what AWS's meter
 * is known to do and what is taken for granted.
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

export interface BusUsage {
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

export interface ScheduleUsage {
  readonly invocations: number;
}
