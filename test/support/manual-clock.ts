import type { Clock } from '../../infra/local/clock.ts';

interface Task {
  readonly dueAt: number;
  readonly run: () => void;
}

/** A clock that moves only when a test moves it, and runs on the way what falls due, in order. */
export class ManualClock implements Clock {
  #now: number;
  readonly #tasks = new Set<Task>();

  constructor(startMs = Date.UTC(2024, 0, 20, 11, 55, 8)) {
    this.#now = startMs;
  }

  /** Tasks set and neither run nor cancelled. */
  get waiting(): number {
    return this.#tasks.size;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const task = { dueAt: this.#now + delayMs, run };
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (let task = this.#firstDue(end); task !== undefined; task = this.#firstDue(end)) {
      this.#now = Math.max(this.#now, task.dueAt);
      this.#tasks.delete(task);
      task.run();
    }
    this.#now = end;
  }

  /** Of two that fall due together, the one set first: a set keeps its order. */
  #firstDue(end: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.#tasks) {
      if (task.dueAt <= end && (first === undefined || task.dueAt < first.dueAt)) first = task;
    }
    return first;
  }
}
