import { randomInt } from 'node:crypto';
import type { GatewayFaults, ManagementFault } from '../apigateway/faults.ts';
import type { TableFaults } from '../dynamodb/faults.ts';
import type { BusFaults } from '../eventbridge/faults.ts';
import type { CallerFaults } from '../http/faults.ts';
import type { FunctionFaults } from '../lambda/faults.ts';
import type { QueueFaults } from '../sqs/faults.ts';
import type { Names } from '../stack/names.ts';
import { ActiveFaults, of } from './active.ts';
import type { FaultOf, FaultReport, FaultSet, Span } from './fault.ts';
import { Invocations } from './invocations.ts';
import { parseFaultSet } from './parse.ts';
import { SEED_MAX } from './random.ts';

type OnCall = FaultOf<'@connections', string>;

/** The faults of a system, and what its engines ask them. */
export class Faults {
  readonly #names: Names;
  readonly #log: (line: string) => void;
  readonly #invocations = new Invocations();
  #active: ActiveFaults;

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

  readonly gateway: GatewayFaults = {
    management: (method, connectionId) => {
      const fault = this.#active.strike(
        of('@connections', 'delay', 'hang', 'answer', 'drop'),
        undefined,
        (each) =>
          (each.method ?? method) === method &&
          (each.connectionId ?? connectionId) === connectionId &&
          !(each.effect === 'drop' && method === 'GET'),
      );
      return fault && this.#toManagementFault(fault);
    },
    disconnect: (id) => {
      const fault = this.#active.strike(
        of('disconnect', 'lose', 'delay'),
        undefined,
        ({ connectionId = id }) => connectionId === id,
      );
      return fault && (fault.effect === 'lose' ? 'never' : this.#active.ms(fault.delayMs));
    },
  };

  readonly queues: QueueFaults = {
    // Always another than the one whose turn it is, so that a strike is seen.
    next: (queue, visible) =>
      this.#active.strike(of('queue', 'reorder'), queue) ? 1 + this.#active.below(visible - 1) : 0,
    fate: (queue) => {
      const fault = this.#active.strike(of('queue', 'duplicate', 'delay'), queue);
      return fault && (fault.effect === 'duplicate' ? 'twice' : this.#active.ms(fault.delayMs));
    },
  };

  readonly buses: BusFaults = {
    copies: (bus, type) => {
      const fault = this.#active.strike(
        of('bus', 'duplicate', 'delay'),
        bus,
        ({ detailType = type }) => detailType === type,
      );
      if (!fault) return undefined;
      const delayMs = this.#msOf(fault);
      return fault.effect === 'duplicate' ? [0, delayMs] : [delayMs];
    },
  };

  readonly tables: TableFaults = {
    throttle: (table, name) => {
      const fault = this.#active.strike(
        of('table', 'throttle'),
        table,
        ({ operation = name }) => operation === name,
      );
      return fault && (fault.error ?? 'ProvisionedThroughputExceededException');
    },
    delayMs: (table, name) => {
      const fault = this.#active.strike(
        of('table', 'delay'),
        table,
        ({ operation = name }) => operation === name,
      );
      return fault && this.#active.ms(fault.delayMs);
    },
  };

  readonly functions: FunctionFaults = {
    start: (functionName) => {
      const fault = this.#active.strike(of('function', 'crash', 'delay'), functionName);
      return fault && (fault.effect === 'crash' ? 'crash' : this.#active.ms(fault.delayMs));
    },
    invoked: (...invocation) => this.#invocations.begin(...invocation),
  };

  readonly callers: CallerFaults = {
    deathAt: (request) => this.#invocations.deathAt(request, this.#active),
  };

  #arm(value: unknown): ActiveFaults {
    const { faults, seed = randomInt(SEED_MAX) } = parseFaultSet(value, this.#names);
    if (faults.length > 0) this.#log(`in force: ${faults.length}, seed ${seed}`);
    return new ActiveFaults(faults, seed, this.#names);
  }

  #toManagementFault(fault: OnCall): ManagementFault {
    if (fault.effect === 'hang') return { outcome: 'hang' };
    const delayMs = this.#msOf(fault);
    if (fault.effect === 'delay') return { delayMs };
    return { delayMs, outcome: fault.effect === 'drop' ? 'drop' : fault.status };
  }

  #msOf({ delayMs = 0 }: { readonly delayMs?: Span }): number {
    return this.#active.ms(delayMs);
  }
}
