import type { Carrier, Exchange } from './exchange.ts';
import { Queue } from './queue.ts';
import { IDLE_MS_MAX, SOCKETS_MAX, type Transport, WAITING_MAX } from './transport.ts';

/** A socket with one request in flight at most. It calls `free` when it has answered, and `lost` when it is of no more use. */
export interface PooledSocket<Request> extends Carrier {
  /** When it last had an answer, by `performance.now()`; 0 before. */
  readonly usedAt: number;
  send(exchange: Exchange<Request>): void;
  /** Closes it. The request in flight gets `error`. */
  end(error: Error): void;
}

/** Gives every exchange a socket: an idle one, a new one, or one to wait for. */
export class Pool<Request> implements Transport<Request> {
  readonly #openSocket: (pool: Pool<Request>) => PooledSocket<Request>;
  readonly #socketsMax: number;
  readonly #sockets = new Set<PooledSocket<Request>>();
  /** The last used is the first to be used again: the fewest sockets then have to be kept. */
  readonly #idle: PooledSocket<Request>[] = [];
  readonly #waiting = new Queue<Request>(WAITING_MAX);
  #closed = false;

  constructor(openSocket: (pool: Pool<Request>) => PooledSocket<Request>, socketsMax = SOCKETS_MAX) {
    this.#openSocket = openSocket;
    this.#socketsMax = socketsMax;
  }

  send(exchange: Exchange<Request>): void {
    const idle = this.#takeIdle();
    if (this.#closed) exchange.settle(closedError());
    else if (idle) idle.send(exchange);
    else if (this.#sockets.size < this.#socketsMax) this.#sendAnew(exchange);
    else this.#waiting.push(exchange);
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.end(closedError());
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next.settle(closedError());
  }

  free(socket: PooledSocket<Request>): void {
    const next = this.#waiting.shift();
    if (next) socket.send(next);
    else this.#idle.push(socket);
  }

  /** `replay` is the request that a dead socket never got an answer to. */
  lost(socket: PooledSocket<Request>, replay?: Exchange<Request>): void {
    this.#sockets.delete(socket);
    const index = this.#idle.indexOf(socket);
    if (index >= 0) this.#idle.splice(index, 1);
    // Not on an idle socket, which may be as dead. A new one never asks for a replay, so there is one at most.
    const next = replay ?? this.#waiting.shift();
    if (next && this.#closed) next.settle(closedError());
    else if (next) this.#sendAnew(next);
  }

  #takeIdle(): PooledSocket<Request> | undefined {
    const socket = this.#idle.pop();
    if (!socket || performance.now() - socket.usedAt <= IDLE_MS_MAX) return socket;
    // It was the last used, so the others are older still.
    for (const old of [socket, ...this.#idle.splice(0)]) old.end(closedError());
    return undefined;
  }

  #sendAnew(exchange: Exchange<Request>): void {
    const socket = this.#openSocket(this);
    this.#sockets.add(socket);
    socket.send(exchange);
  }
}

const closedError = (): Error => new Error('the transport is closed');
