import { syncBuiltinESMExports } from 'node:module';
import net, { type NetConnectOpts, type OnReadOpts } from 'node:net';
import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { Outbox, readBatch, Segment } from './batch.ts';

/** What a thread needs for sockets to the server of this process that are not the kernel's. */
export interface LoopbackSettings {
  readonly messages: MessagePort;
  /** Where the server listens on TCP, too. */
  readonly port: number;
}

/** The thread's side of all its sockets. */
interface Loopback {
  /** Sends what was written, for a thread that is about to stop. */
  flush(): void;
}

const HOSTS = new Set(['127.0.0.1', 'localhost']);

/**
 * From now on `net.connect` to the server of this process gives a socket whose bytes go through memory: half of what a
 * request costs on this machine is the kernel's. Every other address, and every other way to dial, goes through the
 * kernel.
 *
 * All of `loopback/` is there for `npm run bench -- system`: it took deliveries from 15,000 a second to between
 * 23,000 and 27,000, to a thousand subscribers.
 */
export function installLoopback({ messages, port }: LoopbackSettings): Loopback {
  const network = new Network(messages);
  const dialled = net.connect;
  const connect = (...args: unknown[]): unknown => {
    const [options, listener] = normalise(args);
    const { host = 'localhost' } = options;
    if (options.path || Number(options.port) !== port || !HOSTS.has(host)) {
      return (dialled as (...args: unknown[]) => unknown)(...args);
    }
    const socket = network.open(options);
    if (listener) socket.once('connect', listener);
    return socket;
  };
  Object.assign(net, { connect, createConnection: connect });
  syncBuiltinESMExports();
  return network;
}

type Listener = () => void;
interface Options {
  readonly port?: number | string;
  readonly host?: string;
  /** Of a socket in the file system, which goes before a port. */
  readonly path?: string | null;
  /** That its callback answers false does not hold up what comes. */
  readonly onread?: OnReadOpts;
  /** In milliseconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** `(options, listener?)`, `(port, host?, listener?)`; a path is no port. */
function normalise(args: readonly unknown[]): [Options, Listener | undefined] {
  const [first, second] = args;
  const last = args.at(-1);
  const listener = typeof last === 'function' ? (last as Listener) : undefined;
  if (typeof first === 'object' && first !== null) return [first as NetConnectOpts as Options, listener];
  const host = typeof second === 'string' ? { host: second } : {};
  return [Number.isInteger(Number(first)) ? { port: Number(first), ...host } : {}, listener];
}

class Network implements Loopback {
  readonly #outbox: Outbox;
  readonly #sockets = new Map<number, LoopbackSocket>();
  #opened = 0;

  constructor(messages: MessagePort) {
    this.#outbox = new Outbox((batch) => messages.postMessage(batch, [batch]));
    messages.on('message', (batch: ArrayBuffer) =>
      readBatch(batch, (socket, kind, bytes) => this.#sockets.get(socket)?.receive(kind, bytes)),
    );
    messages.unref(); // a thread lives as long as its engine wants
  }

  open(options: Options): LoopbackSocket {
    const id = ++this.#opened;
    const socket = new LoopbackSocket(options, (kind, bytes) => {
      if (kind === Segment.close) this.#sockets.delete(id);
      this.#outbox.add(id, kind, bytes);
    });
    this.#sockets.set(id, socket);
    return socket;
  }

  flush(): void {
    this.#outbox.flush();
  }
}

/** As much of a `net.Socket` as clients use. */
class LoopbackSocket extends Duplex {
  connecting = true;
  /** In milliseconds; 0 for none. */
  timeout = 0;
  readonly remoteAddress = '127.0.0.1';
  readonly remoteFamily = 'IPv4';
  readonly #onread: OnReadOpts | undefined;
  readonly #send: (kind: Segment, bytes?: Uint8Array) => void;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor({ onread, signal, timeout }: Options, send: (kind: Segment, bytes?: Uint8Array) => void) {
    super({ allowHalfOpen: false, decodeStrings: true, ...(signal && { signal }) });
    this.#send = send;
    this.#onread = onread;
    if (timeout) this.setTimeout(timeout);
    process.nextTick(() => {
      this.connecting = false;
      if (this.destroyed) return;
      this.emit('connect');
      this.emit('ready');
    });
  }

  receive(kind: Segment, bytes: Buffer): void {
    if (this.destroyed) return;
    this.#timer?.refresh();
    if (kind === Segment.data) this.#take(bytes);
    else this.#end();
  }

  setTimeout(timeoutMs: number, listener?: () => void): this {
    this.timeout = timeoutMs;
    clearTimeout(this.#timer);
    if (timeoutMs > 0) {
      this.#timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref();
      if (listener) this.once('timeout', listener);
    } else if (listener) {
      this.removeListener('timeout', listener);
    }
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#timer?.refresh();
    this.#send(Segment.data, chunk);
    done();
  }

  /** In one piece, so that a small request comes whole. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', done);
  }

  override _read(): void {
    // What comes is pushed: there is nobody to slow down.
  }

  override _final(done: () => void): void {
    this.#send(Segment.end);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#send(Segment.close);
    done(error);
  }

  #take(bytes: Buffer): void {
    if (!this.#onread) return void this.push(bytes);
    const { buffer, callback } = this.#onread;
    for (let at = 0; at < bytes.length && !this.destroyed; ) {
      const room = typeof buffer === 'function' ? buffer() : buffer;
      const piece = bytes.subarray(at, at + room.length);
      room.set(piece);
      callback.call(this, piece.length, room);
      at += room.length;
    }
  }

  /** As with a socket whose peer is gone: it ends here, and then there. */
  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.push(null);
    this.read(0); // the end is seen even if nobody reads
  }
}
