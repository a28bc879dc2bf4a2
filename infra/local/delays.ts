import type { Clock } from './clock.ts';

/** Waits that can all be ended early: when an engine closes. */
export class Delays {
  readonly #clock: Clock;
  readonly #endings = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#endings.delete(end);
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      this.#endings.add(end);
    });
  }

  endAll(): void {
    for (const end of [...this.#endings]) end();
  }
}
