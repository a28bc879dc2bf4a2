interface Task {
  readonly dueMs: number;
  /** Of two that fall due together, the one set first. */
  readonly order: number;
  run: (() => void) | undefined;
}

export type Cancel = () => void;

/** Virtual time, and everything that is going to happen in it. Between two tasks all promises run as far as they can. */
export class Scheduler {
  #nowMs: number;
  #order = 0;
  /** A binary heap: the next task comes first. */
  readonly #heap: Task[] = [];
  tasksRun = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  /** Finer than milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    const task: Task = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(task);
    return () => {
      task.run = undefined;
    };
  }

  /** Runs what is due up to `endMs`, or until `isOver` holds, and answers whether it does. */
  runUntil(endMs: number, isOver: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          for (;;) {
            if (isOver()) return resolve(true);
            const next = this.#heap[0];
            if (!next || next.dueMs > endMs) {
              this.#nowMs = Math.max(this.#nowMs, endMs);
              return resolve(false);
            }
            this.#pop();
            if (!next.run) continue;
            this.#nowMs = next.dueMs;
            this.tasksRun += 1;
            next.run();
            // Node runs every microtask before the next immediate.
            return void setImmediate(step);
          }
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(step);
    });
  }

  #push(task: Task): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(task);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(task, heap[parent] as Task)) break;
      heap[at] = heap[parent] as Task;
      at = parent;
    }
    heap[at] = task;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Task;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Task, heap[child] as Task)) child += 1;
      if (!isBefore(heap[child] as Task, last)) break;
      heap[at] = heap[child] as Task;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Task, b: Task): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
