import type { BusFault } from './buses.ts';
import type { FunctionFault } from './functions.ts';
import type { ConnectionsFault, DisconnectFault } from './gateway.ts';
import type { QueueFault } from './queues.ts';
import type { TableFault } from './tables.ts';

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
export type Fault = ConnectionsFault | DisconnectFault | QueueFault | BusFault | TableFault | FunctionFault;

export type On = Fault['on'];
export type EffectOf<O extends On> = Extract<Fault, { on: O }>['effect'];
export type FaultOf<O extends On, E> = Extract<Fault, { on: O; effect: E }>;
