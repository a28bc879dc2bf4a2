export interface Expiring {
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  expire(error: Error): void;
}

/**
 * One timer for every post in flight. A timer for each would be set and cleared thousands of times for each that fires;
 * this one fires once per timeout, and looks at what is left.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  readonly #pending = new Set<Expiring>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** The deadline of a post that begins now and has so long. */
  next(timeoutMs = this.#timeoutMs): number {
    return performance.now() + timeoutMs;
  }

  add(post: Expiring): void {
    this.#pending.add(post);
    // Sockets never keep the process alive, this timer does it for them while a post is under way.
    if (this.#pending.size === 1) this.#timer?.ref();
    if (post.expiresAt < this.#firesAt) this.#arm(post.expiresAt);
  }

  delete(post: Expiring): void {
    this.#pending.delete(post);
    if (this.#pending.size === 0) this.#timer?.unref();
  }

  error(): Error {
    return Object.assign(new Error(`no answer within ${this.#timeoutMs} ms`), { name: 'TimeoutError' });
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    // A timer may fire a little early by this clock: it is then set again, for a millisecond at least.
    const waitMs = Math.max(1, Math.ceil(at - performance.now()));
    // Answers that have come by then are read first: a process that was held up has timers due and answers unread.
    this.#timer = setTimeout(() => setImmediate(() => this.#fire()), waitMs);
  }

  #fire(): void {
    this.#firesAt = Infinity;
    this.#timer = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const post of [...this.#pending]) {
      if (post.expiresAt <= now) post.expire(this.error());
      else next = Math.min(next, post.expiresAt);
    }
    // What expired may have let another post in, which then armed the timer already.
    if (next < this.#firesAt) this.#arm(next);
  }
}
