import { randomInt } from 'node:crypto';
import type { CallerFaults } from '../http/faults.ts';
import type { Names } from '../stack/names.ts';
import { ActiveFaults } from './active.ts';
import { busFaults } from './buses.ts';
import type { FaultReport, FaultSet } from './fault.ts';
import { functionFaults } from './functions.ts';
import { gatewayFaults } from './gateway.ts';
import { Invocations } from './invocations.ts';
import { parseFaultSet } from './parse.ts';
import { queueFaults } from './queues.ts';
import { SEED_MAX } from './random.ts';
import { tableFaults } from './tables.ts';

/** The faults of a system, and what its engines ask them. */
export class Faults {
  readonly #names: Names;
  readonly #log: (line: string) => void;
  readonly #invocations = new Invocations();
  #active: ActiveFaults;

  readonly gateway = gatewayFaults(() => this.#active);
  readonly queues = queueFaults(() => this.#active);
  readonly buses = busFaults(() => this.#active);
  readonly tables = tableFaults(() => this.#active);
  readonly functions = functionFaults(() => this.#active, this.#invocations);
  readonly callers: CallerFaults = {
    deathAt: (request) => this.#invocations.deathAt(request, this.#active),
  };

  constructor(first: FaultSet, names: Names, log: (line: string) => void) {
    this.#names = names;
    this.#log = log;
    this.#active = this.#arm(first);
  }

  /** Puts other faults in the place of those there are. Throws a `RequestError` that says what is wrong with them. */
  set(value: unknown): FaultReport {
    this.#active = this.#arm(value);
    return this.report();
  }

  report(): FaultReport {
    return this.#active.report();
  }

  #arm(value: unknown): ActiveFaults {
    const { faults, seed = randomInt(SEED_MAX) } = parseFaultSet(value, this.#names);
    if (faults.length > 0) this.#log(`in force: ${faults.length}, seed ${seed}`);
    return new ActiveFaults(faults, seed, this.#names);
  }
}
