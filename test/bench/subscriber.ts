import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { clientFrame, takeServerFrame } from '../support/web-socket-frames.ts';

const HEAD_END = '\r\n\r\n';
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const NOTHING = Buffer.alloc(0);
/** All sockets of the process are read into it, one after the other. */
const ROOM = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A WebSocket client for load: a third of the processor time of a whole one, which the systems under test then have.
 * It reads whole text frames, answers pings and understands nothing else.
 */
export class Subscriber {
  /** Gets every text; its bytes change afterwards. */
  onText: (text: Buffer) => void = () => {};
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  /** Has come, but not to its end. */
  #rest = NOTHING;
  #read: (bytes: Buffer) => void;

  private constructor(url: URL, opened: () => void, failed: (error: Error) => void) {
    this.#read = (bytes) => this.#readHead(bytes, opened, failed);
    const onread = { buffer: ROOM, callback: (length: number) => this.#take(ROOM.subarray(0, length)) };
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread });
    this.#socket.on('error', failed);
    this.closed = once(this.#socket, 'close');
    this.#socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}${HEAD_END}`,
    );
  }

  static async open(url: string): Promise<Subscriber> {
    const opened = Promise.withResolvers<void>();
    const subscriber = new Subscriber(new URL(url), opened.resolve, opened.reject);
    await opened.promise;
    return subscriber;
  }

  send(text: string): void {
    this.#socket.write(clientFrame({ payload: Buffer.from(text) }));
  }

  close(): void {
    this.#socket.write(clientFrame({ opcode: CLOSE }));
  }

  #take(bytes: Buffer): boolean {
    this.#read(this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes);
    return true;
  }

  #readHead(bytes: Buffer, opened: () => void, failed: (error: Error) => void): void {
    const end = bytes.indexOf(HEAD_END);
    this.#rest = end < 0 ? Buffer.from(bytes) : NOTHING;
    if (end < 0) return;
    const head = bytes.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ')) {
      failed(new Error(`expected a 101, got ${head}`));
      return;
    }
    this.#read = (bytes) => this.#readFrames(bytes);
    opened();
    this.#read(bytes.subarray(end + HEAD_END.length));
  }

  #readFrames(bytes: Buffer): void {
    let rest = bytes;
    for (let taken = takeServerFrame(rest); taken; taken = takeServerFrame(rest)) {
      const { opcode, fin, payload } = taken.frame;
      if (opcode === TEXT && fin) this.onText(payload);
      else if (opcode === PING) this.#socket.write(clientFrame({ opcode: PONG, payload }));
      else if (opcode === CLOSE) this.#socket.end();
      else throw new Error(`expected texts in one frame each, got opcode ${opcode}`);
      rest = taken.rest;
    }
    this.#rest = rest.length > 0 ? Buffer.from(rest) : NOTHING;
  }
}
