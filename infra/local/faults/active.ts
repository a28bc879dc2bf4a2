import type { Names } from '../stack/names.ts';
import type { EffectOf, Fault, FaultOf, FaultReport, FaultSet, On } from './fault.ts';
import { type NameKind, type Span, TYPES } from './fields.ts';
import { createRandom } from './random.ts';

interface Armed {
  readonly fault: Fault;
  /** Physical names that it is confined to. */
  readonly names: ReadonlySet<string> | undefined;
  strikes: number;
}

/** Tells the faults of these effects, for `strike`. */
export const of =
  <O extends On, E extends EffectOf<O>>(on: O, ...effects: readonly E[]) =>
  (fault: Fault): fault is FaultOf<O, E> =>
    fault.on === on && (effects as readonly string[]).includes(fault.effect);

/** The faults of one set, and their luck: everything random comes from one generator. */
export class ActiveFaults {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #armed: readonly Armed[];

  constructor(faults: FaultSet['faults'], seed: number, names: Names) {
    this.#seed = seed;
    this.#random = createRandom(seed);
    this.#armed = faults.map((fault) => ({ fault, names: namesOf(fault, names), strikes: 0 }));
  }

  /** How often each fault has struck. */
  report(): FaultReport {
    return {
      seed: this.#seed,
      faults: this.#armed.map(({ fault, strikes }) => ({ ...fault, strikes })),
    };
  }

  /**
   * The first fault that may and does strike; those after it are not asked. `name` is the physical name of what it
   * would strike, for a fault that is confined to some.
   */
  strike<F extends Fault>(
    isAsked: (fault: Fault) => fault is F,
    name: string | undefined,
    matches: (fault: F) => boolean = () => true,
  ): F | undefined {
    for (const armed of this.#armed) {
      const { fault, names } = armed;
      if (!isAsked(fault) || (names && !names.has(name ?? '')) || !matches(fault)) continue;
      if (armed.strikes >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      if (fault.rate !== undefined && this.#random() >= fault.rate) continue;
      armed.strikes++;
      return fault;
    }
    return undefined;
  }

  /** Any of the milliseconds of a span, in whole ones. */
  ms(span: Span): number {
    if (typeof span === 'number') return span;
    const [min, max] = span;
    return min + Math.floor(this.#random() * (max - min + 1));
  }

  /** A whole number from 0 up to but not including `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

function namesOf(fault: Fault, names: Names): ReadonlySet<string> | undefined {
  const named = fault as Partial<Record<NameKind, string>>; // each kind has at most one of the four
  for (const [kind, type] of Object.entries(TYPES)) {
    const name = named[kind as NameKind];
    if (name !== undefined) return new Set(names.physicalNames(type, name));
  }
  return undefined;
}
