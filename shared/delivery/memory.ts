interface Entry<V> {
  readonly value: V;
  readonly untilMs: number;
}

/** What is known of keys for a while. It is bounded: what was kept first is forgotten first. */
export class Memory<V> {
  readonly #now: () => number;
  readonly #entriesMax: number;
  readonly #entries = new Map<string, Entry<V>>();

  constructor(now: () => number, entriesMax: number) {
    this.#now = now;
    this.#entriesMax = entriesMax;
  }

  keep(key: string, value: V, forMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs: this.#now() + forMs });
    if (this.#entries.size <= this.#entriesMax) return;
    const [first = ''] = this.#entries.keys();
    this.#entries.delete(first);
  }

  recall(key: string): V | undefined {
    // Mostly there is nothing at all, and this is asked for every post.
    if (this.#entries.size === 0) return undefined;
    const entry = this.#entries.get(key);
    if (!entry || this.#now() < entry.untilMs) return entry?.value;
    this.#entries.delete(key);
    return undefined;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}
