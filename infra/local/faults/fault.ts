import type { ThrottleError } from '../dynamodb/faults.ts';

/**
 * What can be made to go wrong, as `PUT /_fanwire/faults` takes it. Wherever something may go wrong, the faults for it
 * are asked in their order, and the first that strikes is the one that happens.
 */
export interface FaultSet {
  /** Of everything random; any, if not given. The same seed and the same order of requests give the same faults. */
  readonly seed?: number;
  readonly faults: readonly Fault[];
}

/** The faults in force, and the seed that repeats them. */
export interface FaultReport {
  readonly seed: number;
  readonly faults: readonly (Fault & { readonly strikes: number })[];
}

/**
 * Queues, tables, buses and functions go by their physical names, or by the id of a construct that they are or are in:
 * `ingest`, `fanout`. A field that is left out matches everything.
 */
export type Fault =
  | CallDelay
  | CallHang
  | CallAnswer
  | CallDrop
  | DisconnectLoss
  | DisconnectDelay
  | RecordDuplicate
  | RecordReorder
  | RecordDelay
  | EventDuplicate
  | EventDelay
  | RequestThrottle
  | RequestDelay
  | EnvironmentKill
  | EnvironmentCrash
  | EnvironmentDelay;

/** Milliseconds, or a range: each strike takes any of it. */
export type Span = number | readonly [min: number, max: number];

interface Chance {
  /** How many strike of those that could: above 0, up to 1, which is the default. */
  readonly rate?: number;
  /** How often it strikes at most. */
  readonly times?: number;
}

/** A call to @connections. */
interface OnCall extends Chance {
  readonly on: '@connections';
  readonly method?: 'POST' | 'GET' | 'DELETE';
  readonly connectionId?: string;
}
/** It is performed so much later. */
interface CallDelay extends OnCall {
  readonly effect: 'delay';
  readonly delayMs: Span;
}
/** It is not performed, and never answered. */
interface CallHang extends OnCall {
  readonly effect: 'hang';
}
/** It is not performed, and answered with a status. */
interface CallAnswer extends OnCall {
  readonly effect: 'answer';
  readonly status: number;
  readonly delayMs?: Span;
}
/** It is not performed, and answered as if it had been. A GET, which would have nothing to answer with, is not struck. */
interface CallDrop extends OnCall {
  readonly effect: 'drop';
  readonly delayMs?: Span;
}

/** The end of a connection. */
interface OnDisconnect extends Chance {
  readonly on: 'disconnect';
  readonly connectionId?: string;
}
/** `$disconnect` is never told. */
interface DisconnectLoss extends OnDisconnect {
  readonly effect: 'lose';
}
interface DisconnectDelay extends OnDisconnect {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

/** A message on its way from a queue to a function. What ReceiveMessage takes is not harmed. */
interface OnRecord extends Chance {
  readonly on: 'queue';
  readonly queue?: string;
}
interface RecordDuplicate extends OnRecord {
  readonly effect: 'duplicate';
}
/** Any other of the visible messages overtakes it. */
interface RecordReorder extends OnRecord {
  readonly effect: 'reorder';
}
interface RecordDelay extends OnRecord {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

/** An event on its way to one target of a rule. */
interface OnEvent extends Chance {
  readonly on: 'bus';
  readonly bus?: string;
  readonly detailType?: string;
}
interface EventDuplicate extends OnEvent {
  readonly effect: 'duplicate';
  /** How much later the copy comes. */
  readonly delayMs?: Span;
}
interface EventDelay extends OnEvent {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

/** A request to a table. */
interface OnRequest extends Chance {
  readonly on: 'table';
  readonly table?: string;
  readonly operation?: TableOperation;
}
export type TableOperation =
  | 'GetItem'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'Query'
  | 'Scan'
  | 'BatchGetItem'
  | 'BatchWriteItem';
/** It is refused. In a batch each item is struck or not, and those that are come back as unprocessed. */
interface RequestThrottle extends OnRequest {
  readonly effect: 'throttle';
  /** ProvisionedThroughputExceededException is the default. */
  readonly error?: ThrottleError;
}
/** It is performed so much later. */
interface RequestDelay extends OnRequest {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

/** An execution environment. */
interface OnEnvironment extends Chance {
  readonly on: 'function';
  readonly function?: string;
}
/** It is killed in the middle of an invocation, at a call that the code makes with the AWS SDK. */
interface EnvironmentKill extends OnEnvironment {
  readonly effect: 'kill';
  /** At which call of the invocation, from 1. */
  readonly call: number;
  /** Counts the calls of one operation only, for example `PutEvents` or `PostToConnection`. */
  readonly operation?: string;
  /** Whether the call itself is still performed; `after` is the default. Its answer is lost anyway. */
  readonly when?: 'before' | 'after';
}
/** It ends while it starts. */
interface EnvironmentCrash extends OnEnvironment {
  readonly effect: 'crash';
}
/** Its start takes so long at least. */
interface EnvironmentDelay extends OnEnvironment {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

export type On = Fault['on'];
export type EffectOf<O extends On> = Extract<Fault, { on: O }>['effect'];
export type FaultOf<O extends On, E> = Extract<Fault, { on: O; effect: E }>;
