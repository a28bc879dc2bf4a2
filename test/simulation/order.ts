import type { LogBook, LogEntry } from './log-book.ts';
import type { World } from './world.ts';

/**
 * In which order messages were published: whoever knows that one is published and then publishes another finds them in
 * this order, and so are those of one frame or event. Messages are known by their numbers.
 */
export class Order {
  readonly #world: World;
  #step = 0;
  readonly #publishedAt = new Map<number, number>();
  readonly #acknowledgedAt = new Map<number, number>();
  /** By frame or event: what was in it. By number: the frames and events that it was in. */
  readonly #together: (readonly number[])[] = [];
  readonly #places = new Map<number, string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** For the first time, or again. */
  published(n: number): void {
    if (!this.#publishedAt.has(n)) this.#publishedAt.set(n, this.#step++);
  }

  acknowledged(n: number): void {
    if (!this.#acknowledgedAt.has(n)) this.#acknowledgedAt.set(n, this.#step++);
  }

  /** What comes twice in it, because it has a key, is where it was first. */
  together(numbers: readonly number[]): void {
    const distinct = [...new Set(numbers)];
    for (const n of distinct) this.#places.set(n, `${this.#places.get(n) ?? ''} ${this.#together.length}`);
    this.#together.push(distinct);
  }

  expectKept(book: LogBook): void {
    // Older code acknowledges a publish before its message has an offset.
    if (this.#world.mode === 'upgrade') return;
    for (const { topic, entries } of book.logs) this.#expectKeptIn(topic, entries);
  }

  /** No message is behind one that was published only when it was acknowledged. */
  #expectKeptIn(topic: string, entries: readonly LogEntry[]): void {
    const offsets = new Map<number, number>();
    let last = { n: 0, publishedAt: -1 };
    for (const { offset, message } of entries) {
      const n = numberIn(message?.data);
      if (n === undefined || offsets.has(n)) continue;
      offsets.set(n, offset);
      if ((this.#acknowledgedAt.get(n) ?? Infinity) < last.publishedAt) {
        this.#world.violate(
          `${last.n} to ${topic} was published after ${n} was acknowledged, and is before it`,
        );
      }
      const publishedAt = this.#publishedAt.get(n) ?? -1;
      if (publishedAt > last.publishedAt) last = { n, publishedAt };
    }
    for (const numbers of this.#together) {
      // Those that were elsewhere, too, may have got there first.
      for (const some of Map.groupBy(numbers, (n) => this.#places.get(n)).values()) {
        if (this.#isInOneOrder(some)) this.#expectAscending(topic, some, offsets);
      }
    }
  }

  /** What is published again with its key may be in another order then. */
  #isInOneOrder(numbers: readonly number[]): boolean {
    return this.#together.every((others) => {
      const found = others.filter((n) => numbers.includes(n));
      return found.length === 0 || found.every((n, index) => n === numbers[index]);
    });
  }

  #expectAscending(topic: string, numbers: readonly number[], offsets: ReadonlyMap<number, number>): void {
    const found = numbers.flatMap((n) => offsets.get(n) ?? []);
    if (found.some((offset, index) => offset < (found[index - 1] ?? 0))) {
      this.#world.violate(`${numbers} to ${topic} were published in this order, and are at ${found}`);
    }
  }
}

/** The number that a published message says of itself. */
const numberIn = (data: unknown): number | undefined => (data as { readonly n?: number } | undefined)?.n;
