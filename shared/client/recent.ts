import { KEY_WINDOW_MS } from '../protocol/frames.ts';

/** About a megabyte; of more the oldest are forgotten. */
const IDS_MAX = 10_000;

/**
 * Tells a message that comes a second time: repeated by a queue, at worst much later, or published again with its key.
 * A key that is used when its time is over is another message's.
 */
export class Recent {
  readonly #elapsedMs: () => number;
  readonly #max: number;
  /** When each id came, as a new message, in the order in which they came. */
  readonly #newAtMs = new Map<string, number>();
  /** The same of each publication, new or not. */
  readonly #cameAtMs = new Map<string, number>();

  constructor(elapsedMs: () => number, max = IDS_MAX) {
    this.#elapsedMs = elapsedMs;
    this.#max = max;
  }

  /** Whether it is new. Without `publishedAt` the same id is the same message at any time. */
  add(id: string, publishedAt = ''): boolean {
    // What a queue repeats is the same to the letter. That is no measuring: a publisher may have written it.
    const publication = `${id} ${publishedAt}`;
    if (this.#cameAtMs.has(publication)) return false;
    const atMs = this.#elapsedMs();
    this.#note(this.#cameAtMs, publication, atMs);
    if (atMs - (this.#newAtMs.get(id) ?? -Infinity) <= KEY_WINDOW_MS) return false;
    this.#note(this.#newAtMs, id, atMs);
    return true;
  }

  #note(times: Map<string, number>, name: string, atMs: number): void {
    times.delete(name);
    times.set(name, atMs);
    for (const oldest of times.keys()) {
      if (times.size <= this.#max) break;
      times.delete(oldest);
    }
  }
}
