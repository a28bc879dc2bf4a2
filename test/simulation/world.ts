import { Dice } from './dice.ts';
import { Faults } from './faults.ts';
import type { Mode } from './modes.ts';
import { type Cancel, Scheduler } from './scheduler.ts';

const START_MS = Date.UTC(2026, 10, 20);
/** With everything else that can hold up a command, it is still answered within the 30 s that the SDK waits. */
export const LATENCY_MAX_MS = 2_000;
const TRACE_TAIL = 60;
const LINE_LENGTH_MAX = 400;

interface WorldOptions {
  readonly mode?: Mode;
  /** Gets every line of the trace. */
  readonly print?: ((line: string) => void) | undefined;
}

/** What every part of a simulated system has in common: time, chance, faults, and a trace of what happened. */
export class World {
  readonly seed: number;
  readonly mode: Mode;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly dice: Dice;
  /** Of what has happened so far: two runs that did the same have the same. */
  traceHash = 0x811c9dc5;
  /** The first thing that must never happen and has. */
  violation: string | undefined;
  readonly #lines: string[] = [];
  readonly #print: ((line: string) => void) | undefined;
  readonly #slow: number;

  constructor(seed: number, { mode = 'usual', print }: WorldOptions = {}) {
    this.seed = seed;
    this.mode = mode;
    this.#print = print;
    const dice = new Dice(seed);
    this.scheduler = new Scheduler(START_MS + dice.integer(0, 999_999));
    this.faults = new Faults(dice.fork(), () => this.scheduler.nowMs, mode);
    this.dice = dice.fork();
    if (this.faults.has('clocksDiffer')) this.faults.count('clocksDiffer');
    this.#slow = !this.faults.isGentle && dice.chance(0.3) ? dice.scale(0.002, 0.1) : 0;
  }

  /** The true time, in whole milliseconds. */
  now = (): number => Math.floor(this.scheduler.nowMs);

  after(delayMs: number, run: () => void): Cancel {
    return this.scheduler.after(delayMs, run);
  }

  /** How long something takes that usually takes so long. */
  latency(usualMs: number): number {
    const factor = this.dice.chance(this.#slow) ? this.dice.scale(10, 300) : this.dice.scale(0.3, 3);
    return Math.min(usualMs * factor, LATENCY_MAX_MS);
  }

  /** Noted, not thrown: it may be found inside a handler, whose errors others take care of. */
  violate(what: string): void {
    this.violation ??= what;
    this.trace('VIOLATION', what);
  }

  trace(what: string, ...details: readonly (string | number | undefined)[]): void {
    const whole = `${(this.scheduler.nowMs - START_MS).toFixed(2)} ${what} ${details.join(' ')}`;
    const line = whole.slice(0, LINE_LENGTH_MAX);
    let hash = this.traceHash;
    for (let index = 0; index < line.length; index++) {
      hash = Math.imul(hash ^ line.charCodeAt(index), 0x01000193);
    }
    this.traceHash = hash >>> 0;
    this.#lines.push(line);
    if (this.#lines.length > 2 * TRACE_TAIL) this.#lines.splice(0, TRACE_TAIL);
    this.#print?.(line);
  }

  /** Only for somebody who reads everything. */
  detail(describe: () => string): void {
    this.#print?.(`    ${describe()}`);
  }

  /** The last that happened. */
  get tail(): readonly string[] {
    return this.#lines.slice(-TRACE_TAIL);
  }
}
