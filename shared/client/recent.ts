/** Remembers the newest ids, to tell a message that comes a second time. */
export class Recent {
  readonly #max: number;
  /** In the order in which they came. */
  readonly #ids = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether it is new. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= this.#max) break;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
