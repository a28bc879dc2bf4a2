import type { Carrier, Exchange } from './exchange.ts';
import { Queue } from './queue.ts';
import { IDLE_MS_MAX, SOCKETS_MAX, type Transport, WAITING_MAX } from './transport.ts';

/** One socket, with one request in flight. Whenever it has answered it calls `free`, and when it is of no more use `lost`. */
export interface Lane<Request> extends Carrier {
  /** When it last had an answer, by `performance.now()`; 0 before. */
  readonly usedAt: number;
  send(exchange: Exchange<Request>): void;
  /** Whatever waits for an answer here gets `error`. */
  end(error: Error): void;
}

/** Gives every exchange a lane: an idle one, a new one, or one to wait for. */
export class Pool<Request> implements Transport<Request> {
  readonly #makeLane: (pool: Pool<Request>) => Lane<Request>;
  readonly #lanesMax: number;
  readonly #lanes = new Set<Lane<Request>>();
  /** The last used is the first to be used again: the fewest sockets then have to be kept. */
  readonly #idle: Lane<Request>[] = [];
  readonly #waiting = new Queue<Request>(WAITING_MAX);
  #closed = false;

  constructor(makeLane: (pool: Pool<Request>) => Lane<Request>, lanesMax = SOCKETS_MAX) {
    this.#makeLane = makeLane;
    this.#lanesMax = lanesMax;
  }

  send(exchange: Exchange<Request>): void {
    const idle = this.#takeIdle();
    if (this.#closed) exchange.settle(closedError());
    else if (idle) idle.send(exchange);
    else if (this.#lanes.size < this.#lanesMax) this.#sendAnew(exchange);
    else this.#waiting.push(exchange);
  }

  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes) lane.end(closedError());
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next.settle(closedError());
  }

  free(lane: Lane<Request>): void {
    const next = this.#waiting.shift();
    if (next) lane.send(next);
    else this.#idle.push(lane);
  }

  /** `replay` is what a dead lane never got an answer to. */
  lost(lane: Lane<Request>, replay?: Exchange<Request>): void {
    this.#lanes.delete(lane);
    const index = this.#idle.indexOf(lane);
    if (index >= 0) this.#idle.splice(index, 1);
    // Not on an idle lane, which may be as dead. A new one never asks for a replay, so there is one at most.
    const next = replay ?? this.#waiting.shift();
    if (next && this.#closed) next.settle(closedError());
    else if (next) this.#sendAnew(next);
  }

  #takeIdle(): Lane<Request> | undefined {
    const lane = this.#idle.pop();
    if (!lane || performance.now() - lane.usedAt <= IDLE_MS_MAX) return lane;
    // It was the last used, so the others are older still.
    for (const old of [lane, ...this.#idle.splice(0)]) old.end(closedError());
    return undefined;
  }

  #sendAnew(exchange: Exchange<Request>): void {
    const lane = this.#makeLane(this);
    this.#lanes.add(lane);
    lane.send(exchange);
  }
}

const closedError = (): Error => new Error('the transport is closed');
