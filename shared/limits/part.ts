import { waitMsFor } from '../data/buckets.ts';
import type { Rate } from '../protocol/limits.ts';

/** So long what was taken at once may be used up, and so long nothing more is asked for once it was refused. */
export const PART_MS = 1_000;

/** What one environment has of somebody's bucket, and what it knows of it. */
export class Part {
  readonly rate: Rate;
  /** Of the bucket that all environments share, as it was when this one last heard of it. It is fuller by no means. */
  fullAtMs: number | undefined;
  #left = 0;
  #leftUntilMs = Number.NEGATIVE_INFINITY;
  /** What was asked for in this second, and in the one before it. */
  #asked = { fromMs: Number.NEGATIVE_INFINITY, amount: 0, before: 0 };
  /** As much, or more, is refused until then. */
  #closed = { amount: 0, untilMs: Number.NEGATIVE_INFINITY };

  constructor(rate: Rate) {
    this.rate = rate;
  }

  /** What comes in while it lasts. */
  get mostAtOnce(): number {
    return Math.floor((this.rate.perSecond * PART_MS) / 1_000);
  }

  left(nowMs: number): number {
    return nowMs < this.#leftUntilMs ? this.#left : 0;
  }

  ask(amount: number, nowMs: number): void {
    const { fromMs, amount: last } = this.#asked;
    const ageMs = nowMs - fromMs;
    if (ageMs >= PART_MS) this.#asked = { fromMs: nowMs, amount: 0, before: ageMs < 2 * PART_MS ? last : 0 };
    this.#asked.amount += amount;
  }

  /**
   * As much as is lacking, or as will most likely be asked for within a second, whichever is more: one write does for
   * that second, and others get what is not asked for here.
   */
  wanted(lacking: number): number {
    const { amount, before } = this.#asked;
    return Math.max(lacking, Math.min(Math.max(amount, before), this.mostAtOnce));
  }

  /** For how long so much will not be there; 0 if it is worth asking. */
  waitMs(amount: number, nowMs: number): number {
    const { untilMs, amount: refused } = this.#closed;
    const closedMs = amount >= refused ? Math.max(0, untilMs - nowMs) : 0;
    return Math.max(closedMs, waitMsFor(amount - this.left(nowMs), this.rate, this.fullAtMs, nowMs));
  }

  add(amount: number, nowMs: number): void {
    this.#left = this.left(nowMs) + amount;
    this.#leftUntilMs = nowMs + PART_MS;
  }

  spend(amount: number): void {
    this.#left = Math.max(0, this.#left - amount);
  }

  /** Refuses as much and more from now on. Answers with for how long. */
  close(amount: number, waitMs: number, nowMs: number): number {
    const closedMs = amount >= this.#closed.amount ? this.#closed.untilMs - nowMs : 0;
    // A flood does not put off the end of it.
    if (closedMs > 0) return Math.max(closedMs, waitMs);
    const closesMs = Math.max(waitMs, PART_MS);
    this.#closed = { amount, untilMs: nowMs + closesMs };
    return closesMs;
  }
}
