import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import Client from 'undici/lib/dispatcher/client.js';
import { createDial, type Dial } from '../../aws/http/dial.ts';
import type { Exchange } from '../../aws/http/exchange.ts';
import { type Lane, Pool } from '../../aws/http/pool.ts';
import {
  BODY_BYTES_MAX,
  HEAD_BYTES_MAX,
  IDLE_MS_MAX,
  type Transport,
  type TransportOptions,
} from '../../aws/http/transport.ts';
import { CONTENT_TYPE, type SignedRequest } from './signer.ts';

/** How a socket shows that it is dead: undici's word for a close, and the system's. */
const DEAD = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
const NO_BODY = new Uint8Array();

/**
 * The conservative transport: undici speaks HTTP. Each lane has an undici Client, instead of undici's Pool for all: that
 * looks for a free client from the first on for every request, and does not tell which socket a request went to.
 */
export function createUndici(options: TransportOptions): Transport<SignedRequest> {
  const dial = createDial(options);
  const { origin } = new URL(options.endpoint);
  return new Pool((pool) => new UndiciLane(pool, origin, dial), options.socketsMax);
}

/** Itself what undici tells about the request in flight. */
class UndiciLane implements Lane<SignedRequest>, Dispatcher.DispatchHandler {
  usedAt = 0;
  readonly #pool: Pool<SignedRequest>;
  readonly #client: Client;
  #socket: Socket | undefined;
  #exchange: Exchange<SignedRequest> | undefined;
  /** Whether this socket has brought an answer: undici dials anew when one has been closed. */
  #isUsed = false;
  /** Whether anything of the awaited answer came. */
  #isBegun = false;
  #status = 0;
  #headers: Headers = {};
  #body: Buffer[] = [];
  #closed = false;

  constructor(pool: Pool<SignedRequest>, origin: string, dial: Dial) {
    this.#pool = pool;
    this.#client = new Client(origin, {
      allowH2: false,
      pipelining: 1,
      connect: (_, callback) => this.#connect(dial, callback),
      headersTimeout: 0, // deadlines are ours
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_MS_MAX,
      keepAliveMaxTimeout: IDLE_MS_MAX,
      maxHeaderSize: HEAD_BYTES_MAX,
      maxResponseSize: BODY_BYTES_MAX,
    });
  }

  send(exchange: Exchange<SignedRequest>): void {
    exchange.carrier = this;
    this.#exchange = exchange;
    this.#isBegun = false;
    const { path, body } = exchange.request;
    this.#client.dispatch({ method: 'POST', path, headers: headersOf(exchange.request), body }, this);
  }

  drop(): void {
    this.#close(undefined);
  }

  end(error: Error): void {
    this.#exchange?.settle(error);
    this.#close(undefined);
  }

  onRequestStart(): void {}

  /** The first byte of a response. undici calls it, though its types do not say so. */
  onResponseStarted(): void {
    this.#isBegun = true;
  }

  onResponseStart(_: unknown, status: number, headers: Headers): void {
    this.#status = status;
    this.#headers = headers;
    this.#body = [];
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#body.push(chunk);
  }

  onResponseEnd(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    this.#exchange = undefined;
    this.#isUsed = true;
    this.usedAt = performance.now();
    exchange.settle({
      status: this.#status,
      errorType: one(this.#headers['x-amzn-errortype']),
      requestId: requestIdOf(this.#headers),
      date: one(this.#headers.date),
      body: this.#body.length === 0 ? NO_BODY : Buffer.concat(this.#body),
      headers: undefined,
    });
    this.#pool.free(this);
  }

  /** When to replay: see `http/sockets.ts`. */
  onResponseError(_: unknown, error: Error & { readonly code?: string }): void {
    if (this.#isUsed && !this.#isBegun && DEAD.has(error.code ?? '')) this.#close(this.#exchange);
    else this.end(error);
  }

  #close(replay: Exchange<SignedRequest> | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#exchange = undefined;
    this.#client.destroy(null);
    this.#socket?.destroy(); // it may still be connecting, which undici would wait for
    this.#pool.lost(this, replay);
  }

  #connect(dial: Dial, callback: (...result: [Error, null] | [null, Socket]) => void): void {
    this.#isUsed = false;
    const { socket, ready } = dial();
    this.#socket = socket;
    const fail = (error: Error): void => callback(error, null);
    socket.once('error', fail);
    socket.once(ready, () => {
      socket.off('error', fail);
      callback(null, socket);
    });
  }
}

type Headers = Record<string, string | string[] | undefined>;

const requestIdOf = (headers: Headers): string =>
  one(headers['x-amzn-requestid'] ?? headers['x-amzn-request-id'] ?? headers['x-amz-request-id']);

const one = (value: string | string[] | undefined): string =>
  typeof value === 'string' ? value : (value?.[0] ?? '');

function headersOf({ stamp, signature, traceId }: SignedRequest): string[] {
  const headers = [
    'content-type',
    CONTENT_TYPE,
    'x-amz-date',
    stamp.date,
    'authorization',
    stamp.authorization + signature,
  ];
  if (stamp.sessionToken) headers.push('x-amz-security-token', stamp.sessionToken);
  if (traceId !== undefined) headers.push('x-amzn-trace-id', traceId);
  return headers;
}
