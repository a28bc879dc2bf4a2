interface Event {
  readonly atMs: number;
  /** Events of the same time run in the order in which they were added. */
  readonly order: number;
  readonly run: () => void;
}

/** Runs events in the order of their virtual times; waiting takes no real time. */
export class Simulation {
  #now = 0;
  #orders = 0;
  /** A binary heap, the next event first. */
  readonly #events: Event[] = [];

  get now(): number {
    return this.#now;
  }

  at(atMs: number, run: () => void): void {
    this.#push({ atMs: Math.max(atMs, this.#now), order: this.#orders++, run });
  }

  /** Runs events until none is left. */
  run(): void {
    for (let event = this.#pop(); event; event = this.#pop()) {
      this.#now = event.atMs;
      event.run();
    }
  }

  #push(event: Event): void {
    const events = this.#events;
    let index = events.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = events[parent] as Event; // inside the heap
      if (isBefore(above, event)) break;
      events[index] = above;
      index = parent;
    }
    events[index] = event;
  }

  #pop(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let index = 0;
    for (;;) {
      const child = smallerChild(events, index);
      const below = events[child];
      if (below === undefined || isBefore(last, below)) break;
      events[index] = below;
      index = child;
    }
    events[index] = last;
    return first;
  }
}

const isBefore = (one: Event, other: Event): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

function smallerChild(events: readonly Event[], index: number): number {
  const left = 2 * index + 1;
  const [one, other] = [events[left], events[left + 1]];
  return one && other && isBefore(other, one) ? left + 1 : left;
}
