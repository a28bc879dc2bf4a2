import type { Rate } from './parameters.ts';

/** A rate that whoever comes too early waits for, in the order of coming. */
export class Limiter {
  readonly #msPerUnit: number;
  readonly #burstMs: number;
  /** When all that was taken so far would be over at the steady rate. */
  #takenUntilMs = 0;
  /** What everybody has waited together. */
  waitedMs = 0;

  constructor({ perSecond, burst }: Rate) {
    this.#msPerUnit = 1_000 / perSecond;
    this.#burstMs = burst * this.#msPerUnit;
  }

  /** When `units` may go ahead. Times must not go back. */
  take(nowMs: number, units = 1): number {
    this.#takenUntilMs = Math.max(this.#takenUntilMs, nowMs) + units * this.#msPerUnit;
    const atMs = Math.max(nowMs, this.#takenUntilMs - Math.max(this.#burstMs, units * this.#msPerUnit));
    this.waitedMs += atMs - nowMs;
    return atMs;
  }
}
