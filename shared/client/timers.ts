import type { Environment } from './options.ts';

/** What comes later than this, a platform runs at once: it counts milliseconds in 32 bits. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The timers of one thing, which end with it. */
export class Timers {
  readonly #environment: Pick<Environment, 'setTimeout' | 'clearTimeout'>;
  /** Functions that cancel them. */
  readonly #running = new Set<() => void>();

  constructor(environment: Pick<Environment, 'setTimeout' | 'clearTimeout'>) {
    this.#environment = environment;
  }

  /** Gives a function that cancels it. After Infinity it never runs. */
  after(ms: number, run: () => void): () => void {
    if (ms === Infinity) return () => {};
    const { setTimeout, clearTimeout } = this.#environment;
    let timer: unknown;
    const wait = (leftMs: number) => {
      timer = setTimeout(
        () => {
          if (leftMs > TIMEOUT_MS_MAX) return wait(leftMs - TIMEOUT_MS_MAX);
          this.#running.delete(cancel);
          run();
        },
        Math.min(leftMs, TIMEOUT_MS_MAX),
      );
    };
    const cancel = () => {
      this.#running.delete(cancel);
      clearTimeout(timer);
    };
    this.#running.add(cancel);
    wait(ms);
    return cancel;
  }

  clear(): void {
    for (const cancel of this.#running) cancel();
  }
}
