import type { Environment } from './options.ts';

/** The timers of one thing, which end with it. */
export class Timers {
  readonly #environment: Pick<Environment, 'setTimeout' | 'clearTimeout'>;
  readonly #running = new Set<unknown>();

  constructor(environment: Pick<Environment, 'setTimeout' | 'clearTimeout'>) {
    this.#environment = environment;
  }

  /** Gives a function that cancels it. */
  after(ms: number, run: () => void): () => void {
    const { setTimeout } = this.#environment;
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      run();
    }, ms);
    this.#running.add(timer);
    return () => this.#cancel(timer);
  }

  clear(): void {
    for (const timer of this.#running) this.#cancel(timer);
  }

  #cancel(timer: unknown): void {
    const { clearTimeout } = this.#environment;
    this.#running.delete(timer);
    clearTimeout(timer);
  }
}
