import type { Rate } from './parameters.ts';

/** Lets so many units a second through, and a burst after a pause; more wait their turn, first come first served. */
export class Limiter {
  readonly #msPerUnit: number;
  readonly #burstMs: number;
  /** When all units taken so far would be through at the steady rate. */
  #takenUntilMs = 0;
  /** Milliseconds that all callers together have waited. */
  waitedMs = 0;

  constructor({ perSecond, burst }: Rate) {
    this.#msPerUnit = 1_000 / perSecond;
    this.#burstMs = burst * this.#msPerUnit;
  }

  /** The time at which `units` get through. Calls must come in the order of their `nowMs`. */
  take(nowMs: number, units = 1): number {
    this.#takenUntilMs = Math.max(this.#takenUntilMs, nowMs) + units * this.#msPerUnit;
    const atMs = Math.max(nowMs, this.#takenUntilMs - Math.max(this.#burstMs, units * this.#msPerUnit));
    this.waitedMs += atMs - nowMs;
    return atMs;
  }
}
