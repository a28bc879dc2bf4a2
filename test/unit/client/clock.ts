import { setImmediate } from 'node:timers/promises';

interface Timer {
  readonly dueAtMs: number;
  readonly run: () => void;
}

/** Time for a client and the server it talks to: it moves when a test moves it. Between any two timers promises settle. */
export class Clock {
  #nowMs = 1_000_000;
  /** In the order in which they were set. */
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#nowMs;

  readonly setTimeout = (run: () => void, ms: number): Timer => {
    if (Number.isNaN(ms)) throw new Error('expected milliseconds, got NaN'); // a platform runs it at once, for ever
    // A platform takes whole milliseconds, and its time of day has no others.
    const timer = { dueAtMs: this.#nowMs + Math.trunc(ms), run };
    this.#timers.add(timer);
    return timer;
  };

  readonly clearTimeout = (timer: Timer): void => {
    this.#timers.delete(timer);
  };

  /** Timers set and neither run nor cleared. */
  get waiting(): number {
    return this.#timers.size;
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await setImmediate();
    for (let timer = this.#firstDue(endMs); timer; timer = this.#firstDue(endMs)) {
      this.#timers.delete(timer);
      this.#nowMs = timer.dueAtMs;
      timer.run();
      await setImmediate();
    }
    this.#nowMs = endMs;
  }

  #firstDue(endMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAtMs <= endMs && (!first || timer.dueAtMs < first.dueAtMs)) first = timer;
    }
    return first;
  }
}
