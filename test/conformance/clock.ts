import type { Clock } from '../../infra/local/clock.ts';

interface Task {
  readonly dueAt: number;
  readonly run: () => void;
  timer: NodeJS.Timeout;
}

/**
 * Real time that can be moved on: functions and queues run as ever, and two hours pass in a moment. What falls due on
 * the way runs at its time, in order.
 */
export class JumpingClock implements Clock {
  #aheadMs = 0;
  readonly #tasks = new Set<Task>();

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const task: Task = {
      dueAt: this.now() + delayMs,
      run,
      timer: setTimeout(() => this.#run(task), delayMs),
    };
    this.#tasks.add(task);
    return () => this.#forget(task);
  }

  jump(ms: number): void {
    const end = this.now() + ms;
    for (let task = this.#firstDue(end); task !== undefined; task = this.#firstDue(end)) {
      this.#moveTo(task.dueAt);
      this.#run(task);
    }
    this.#moveTo(end);
    for (const task of this.#tasks) {
      clearTimeout(task.timer);
      task.timer = setTimeout(() => this.#run(task), task.dueAt - end);
    }
  }

  #moveTo(timeMs: number): void {
    this.#aheadMs += Math.max(0, timeMs - this.now());
  }

  #run(task: Task): void {
    this.#forget(task);
    task.run();
  }

  #forget(task: Task): void {
    clearTimeout(task.timer);
    this.#tasks.delete(task);
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
