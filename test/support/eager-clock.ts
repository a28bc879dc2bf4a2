import type { Clock } from '../../infra/local/clock.ts';

/** Real time. Of all waits only a schedule's is between half a minute and a whole one, and it can be ended at will. */
export class EagerClock implements Clock {
  #runSchedule = (): void => {};

  now(): number {
    return Date.now();
  }

  after(delayMs: number, task: () => void): () => void {
    if (delayMs > 30_000 && delayMs <= 60_000) {
      this.#runSchedule = task;
      return () => {};
    }
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  }

  runSchedule(): void {
    this.#runSchedule();
  }
}
