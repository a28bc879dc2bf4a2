import type { Socket } from 'node:net';
import { createDial, type Dial } from './dial.ts';
import type { Exchange } from './exchange.ts';
import { Pool, type PooledSocket } from './pool.ts';
import { BadResponse, type ResponseLimits, ResponseReader } from './response.ts';
import type { Answer, Transport, TransportOptions } from './transport.ts';

/** Makes the bytes of one socket's requests. */
export interface Writer<Request> {
  /** With `isWritten` the previous request has been sent, and its buffer may be used again. */
  bytesOf(request: Request, isWritten: boolean): Buffer;
}

/** How requests become bytes, and how much of an answer is read. */
export interface Codec<Request> extends ResponseLimits {
  readonly createWriter: () => Writer<Request>;
  /** Size of a socket's read buffer: longer answers come in pieces. */
  readonly readBytes: number;
}

/** HTTP/1.1 of our own on keep-alive sockets. */
export function openSockets<Request>(options: TransportOptions, codec: Codec<Request>): Transport<Request> {
  const dial = createDial(options);
  return new Pool((pool) => new HttpSocket(pool, dial, codec), options.socketsMax);
}

/** Has the code of a peer that closes in the middle, because the SDK tries again what failed with it. */
const lostError = (): Error =>
  Object.assign(new Error('the socket was closed before the answer was complete'), { code: 'ECONNRESET' });

/** Invariant: an exchange is set exactly while an answer is awaited. A socket whose answer did not come is never used again. */
class HttpSocket<Request> implements PooledSocket<Request> {
  usedAt = 0;
  readonly #pool: Pool<Request>;
  readonly #writer: Writer<Request>;
  readonly #socket: Socket;
  /** One buffer for all reads: a stream would allocate one, and emit an event, for each. */
  readonly #in: Buffer;
  readonly #reader: ResponseReader;
  #exchange: Exchange<Request> | undefined;
  #ready = false;
  #closed = false;

  constructor(pool: Pool<Request>, dial: Dial, codec: Codec<Request>) {
    this.#pool = pool;
    this.#writer = codec.createWriter();
    this.#reader = new ResponseReader(codec);
    this.#in = Buffer.allocUnsafeSlow(codec.readBytes);
    const { socket, ready } = dial({ buffer: this.#in, callback: (length) => this.#read(length) });
    this.#socket = socket;
    socket.unref(); // while a request is under way the timer of its deadline keeps the process alive
    socket.once(ready, () => this.#connected());
    socket.on('end', () => this.#peerEnded());
    socket.on('error', (error) => this.#died(error));
    socket.on('close', () => this.#died(lostError()));
  }

  send(exchange: Exchange<Request>): void {
    exchange.carrier = this;
    this.#exchange = exchange;
    if (this.#ready) this.#write(exchange);
  }

  drop(): void {
    this.#close(undefined);
  }

  end(error: Error): void {
    this.#exchange?.settle(error);
    this.#close(undefined);
  }

  /**
   * If the socket had been of use before, and nothing of an answer came, then it was probably dead before the request was
   * written: after a freeze of the Lambda, or closed by the peer. A replay may still do the same twice: messages have ids
   * for that, and what the SDK asks for, it would ask for again itself.
   */
  #died(error: Error): void {
    if (this.usedAt === 0 || this.#reader.begun) this.end(error);
    else this.#close(this.#exchange);
  }

  #close(replay: Exchange<Request> | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#exchange = undefined;
    this.#socket.destroy();
    this.#pool.lost(this, replay);
  }

  #connected(): void {
    this.#ready = true;
    if (this.#exchange) this.#write(this.#exchange);
  }

  #write(exchange: Exchange<Request>): void {
    // An answer may come before all of its request was written.
    const isWritten = this.#socket.writableLength === 0;
    this.#socket.write(this.#writer.bytesOf(exchange.request, isWritten));
    exchange.written();
  }

  #read(length: number): boolean {
    if (this.#closed) return false;
    // No request was sent: a 408 on an idle socket, say.
    if (!this.#exchange) this.end(lostError());
    else this.#take(this.#exchange, length);
    return !this.#closed;
  }

  #peerEnded(): void {
    if (this.#exchange) this.#take(this.#exchange, 0);
    this.#died(lostError());
  }

  /** No bytes mean the end. */
  #take(exchange: Exchange<Request>, length: number): void {
    try {
      const answer = length > 0 ? this.#reader.read(this.#in, length) : this.#reader.end();
      if (answer) this.#answered(exchange, answer);
    } catch (error) {
      if (!(error instanceof BadResponse)) throw error;
      this.end(error);
    }
  }

  #answered(exchange: Exchange<Request>, answer: Answer): void {
    this.#exchange = undefined;
    this.usedAt = performance.now();
    exchange.settle(answer);
    if (this.#reader.keepAlive) this.#pool.free(this);
    else this.#close(undefined);
  }
}
