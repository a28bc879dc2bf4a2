import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { Outbox, readBatch, Segment } from './batch.ts';

/** What a server does with the sockets of a thread: the other end of `dial.ts`, which says what it is for. */
export interface Server {
  /**
   * Answers a request that came whole and alone, if it is one of the few that need no more; false if it is not. A reply
   * of nothing ends the connection.
   */
  answer(request: Buffer, reply: (response: Uint8Array | undefined) => void): boolean;
  /** Takes a connection over, for good. */
  accept(connection: Duplex): void;
}

type Send = (kind: Segment, bytes?: Uint8Array) => void;

/** The server's side of all sockets of one thread. They end with it. */
export function plugIn(messages: MessagePort, server: Server): void {
  const sockets = new Map<number, ServerSocket>();
  const outbox = new Outbox((batch) => messages.postMessage(batch, [batch]));
  const open = (id: number): ServerSocket => {
    const socket = new ServerSocket(server, (kind, bytes) => outbox.add(id, kind, bytes));
    sockets.set(id, socket);
    return socket;
  };
  messages.on('message', (batch: ArrayBuffer) =>
    readBatch(batch, (id, kind, bytes) => {
      const socket = sockets.get(id);
      if (kind === Segment.data) (socket ?? open(id)).take(bytes);
      else socket?.end();
      if (kind !== Segment.close) return;
      socket?.cut();
      sockets.delete(id);
    }),
  );
  messages.once('close', () => {
    for (const socket of sockets.values()) socket.cut();
  });
  messages.unref(); // the process lives as long as its server
}

/** A request at a time is answered here; from the first one that the server does not answer at once it has a stream. */
class ServerSocket {
  readonly #server: Server;
  readonly #send: Send;
  readonly #waiting: Buffer[] = [];
  #isAnswering = false;
  /** Answers may come at once: then they are taken up where they were asked for, not one within the other. */
  #isLooping = false;
  #isEnded = false;
  #isCut = false;
  #stream: ServerStream | undefined;

  constructor(server: Server, send: Send) {
    this.#server = server;
    this.#send = send;
  }

  take(bytes: Buffer): void {
    if (this.#stream) {
      this.#stream.push(bytes);
      return;
    }
    this.#waiting.push(bytes);
    this.#goOn();
  }

  /** Nothing more comes from the thread. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#stream) this.#stream.push(null);
    else this.#goOn();
  }

  /** The client is gone; what came before is still read. */
  cut(): void {
    this.#isCut = true;
    const stream = this.#stream;
    if (!stream || stream.readableLength === 0) stream?.destroy();
    else stream.once('end', () => stream.destroy());
  }

  #goOn(): void {
    if (this.#isLooping) return;
    this.#isLooping = true;
    while (!this.#isAnswering && !this.#isCut && this.#waiting.length > 0) this.#begin();
    this.#isLooping = false;
    if (this.#isEnded && !this.#isAnswering && !this.#stream) this.#send(Segment.close);
  }

  #begin(): void {
    const [request] = this.#waiting as [Buffer];
    this.#isAnswering = true;
    if (this.#server.answer(request, (response) => this.#answered(response))) this.#waiting.shift();
    else this.#open();
  }

  #answered(response: Uint8Array | undefined): void {
    if (this.#isCut) return;
    if (response) {
      this.#isAnswering = false;
      this.#send(Segment.data, response);
      this.#goOn();
    } else {
      this.#isCut = true; // what still waits is not read
      this.#send(Segment.close);
    }
  }

  /** What waits is the stream's from here on. */
  #open(): void {
    const stream = new ServerStream(this.#send);
    this.#stream = stream;
    this.#server.accept(stream);
    for (const bytes of this.#waiting.splice(0)) stream.push(bytes);
    if (this.#isEnded) stream.push(null);
  }
}

class ServerStream extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly #send: Send;

  constructor(send: Send) {
    super({ decodeStrings: true });
    this.#send = send;
  }

  override _read(): void {
    // What comes is pushed: there is nobody to slow down.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(Segment.data, chunk);
    done();
  }

  override _final(done: () => void): void {
    this.#send(Segment.end);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#send(Segment.close);
    done(error);
  }
}
