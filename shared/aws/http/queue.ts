import type { Carrier, Exchange } from './exchange.ts';

const COMPACT_AT = 1_024;

/** Exchanges that wait for a socket, first come, first served. */
export class Queue<Request> implements Carrier {
  readonly #lengthMax: number;
  #items: Exchange<Request>[] = [];
  #head = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  push(exchange: Exchange<Request>): void {
    if (this.#items.length - this.#head >= this.#lengthMax) {
      exchange.settle(new Error(`expected at most ${this.#lengthMax} requests waiting for a socket`));
      return;
    }
    exchange.carrier = this;
    this.#items.push(exchange);
  }

  /** The first that has not settled meanwhile. */
  shift(): Exchange<Request> | undefined {
    while (this.#head < this.#items.length) {
      const exchange = this.#items[this.#head++];
      if (this.#head >= COMPACT_AT) this.#compact();
      if (exchange && !exchange.settled) return exchange;
    }
    this.#compact();
    return undefined;
  }

  /** Nothing to do: a settled exchange is skipped when its turn comes. */
  drop(): void {}

  #compact(): void {
    if (this.#head === 0) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
