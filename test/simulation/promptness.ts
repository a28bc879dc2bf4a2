import type { World } from './world.ts';

const MINUTE_MS = 60_000;
/** What an event, a record or a retry that is late already may still take. */
const UNDERWAY_MS = 2 * MINUTE_MS;
/** By then nothing that went wrong has an effect on what is new: posts are paced as usual, and workers are free. */
const RECOVERED_MS = MINUTE_MS;
/** A cold start and every step with the longest latency. */
const USUAL_MS = 20_000;

/** A worker has what it could not do come again after so long at most; see `shared/lambda/worker.ts`. */
const HIDDEN_MAX_MS = 20_000;
/** Unless it dies, or the queue does not take that: then it comes when its visibility timeout ends. */
const STAYS_HIDDEN = ['invocationKilled', 'invocationRefused', 'queueFails', 'queueRefuses'] as const;

/** Once nothing goes wrong any more, nothing is late: what was on its way gets so long, what comes later much less. */
export class Promptness {
  readonly #world: World;
  /** How long a record that was not done may stay hidden. */
  readonly #hiddenMs: number;
  #wellSinceMs = Infinity;

  constructor(world: World, visibilityMs: number) {
    this.#world = world;
    const isHastened =
      world.mode !== 'upgrade' && STAYS_HIDDEN.every((fault) => !(fault in world.faults.likely));
    this.#hiddenMs = isHastened ? HIDDEN_MAX_MS : visibilityMs;
  }

  /** No more faults from now on. */
  begin(): void {
    this.#wellSinceMs = this.#world.scheduler.nowMs;
  }

  /** By then everything that has come up by now must be done. */
  get drainedByMs(): number {
    return Math.max(this.#deadlineOf(this.#wellSinceMs), this.#deadlineOf(this.#world.scheduler.nowMs));
  }

  /** Something that was due since then has happened now. */
  expectInTime(what: string, sinceMs: number): void {
    const lateMs = this.#world.scheduler.nowMs - this.#deadlineOf(sinceMs);
    if (lateMs > 0) this.#world.violate(`${what}, ${Math.ceil(lateMs)} ms too late`);
  }

  /** Nothing that has come up since can have failed. */
  isRecovered(sinceMs: number): boolean {
    return sinceMs >= this.#wellSinceMs + RECOVERED_MS;
  }

  #deadlineOf(sinceMs: number): number {
    if (this.isRecovered(sinceMs)) return sinceMs + USUAL_MS;
    return Math.max(sinceMs, this.#wellSinceMs) + this.#hiddenMs + UNDERWAY_MS;
  }
}
