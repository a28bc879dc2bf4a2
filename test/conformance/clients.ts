import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { type ClientOptions, WebSocket } from 'ws';
import { clientFrame, type FrameParts, takeServerFrame } from '../support/web-socket-frames.ts';

/** Things that arrive in their order, for a test that waits for the next. */
class Mailbox<T> {
  readonly #arrived: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const wanted = this.#waiting.shift();
    if (wanted) wanted(item);
    else this.#arrived.push(item);
  }

  take(): Promise<T> {
    const item = this.#arrived.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

export interface ConnectOptions extends Omit<ClientOptions, 'protocol'> {
  readonly protocols?: string[];
}

/** What the generic handler replies to a frame. */
export interface Reply {
  readonly routeKey: string;
  readonly connectionId: string;
  readonly bytes: number;
}

/** A client that people use: `ws`. */
export class Client {
  readonly socket: WebSocket;
  /** The 101, or the refusal. */
  readonly response: Promise<IncomingMessage>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #messages = new Mailbox<string>();

  constructor(url: string, { protocols, ...options }: ConnectOptions = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('error', () => {}); // a test that expects one listens itself
    this.socket.on('message', (data, isBinary) =>
      this.#messages.put(isBinary ? `binary ${data}` : `${data}`),
    );
    this.response = new Promise((resolve) => {
      this.socket.once('upgrade', resolve);
      this.socket.once('unexpected-response', (_request, response) => resolve(response));
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open');
    return this;
  }

  /** Objects go as JSON. */
  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message that no test has taken yet. */
  next(): Promise<string> {
    return this.#messages.take();
  }

  /** Sends a message and takes the next one as its reply. */
  async ask(message: unknown): Promise<Reply> {
    this.send(message);
    return JSON.parse(await this.next());
  }

  async close(code?: number, reason?: string): Promise<void> {
    this.socket.close(code, reason);
    await this.closed;
  }
}

/** What a handshake that is refused gets. */
export async function refusal(client: Client) {
  const response = await client.response;
  const { statusCode: status, headers } = response;
  return { status, headers, body: await text(response) };
}

/** A client without a WebSocket library: it sends what it is told to, and answers nothing by itself. */
export class RawClient {
  readonly socket: Socket;
  readonly #frames = new Mailbox<FrameParts>();

  /** `headers` are sent as they are, after those that a handshake must have. */
  static async connect(url: string, headers: readonly string[] = []): Promise<RawClient> {
    const { protocol, hostname, port, host, pathname, search } = new URL(url);
    const socket =
      protocol === 'wss:'
        ? connectTls({ host: hostname, port: Number(port || 443), servername: hostname })
        : connectTcp({ host: hostname, port: Number(port || 80) });
    socket.on('error', () => {}); // the tests see that nothing comes any more
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      'Sec-WebSocket-Version: 13',
      ...headers,
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    if (!String(head).startsWith('HTTP/1.1 101')) throw new Error(`expected a 101, got ${head}`);
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    let unread = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (let taken = takeServerFrame(unread); taken !== undefined; taken = takeServerFrame(unread)) {
        unread = Buffer.from(taken.rest);
        this.#frames.put(taken.frame);
      }
    });
  }

  nextFrame(): Promise<FrameParts> {
    return this.#frames.take();
  }

  /** Sends a message and takes the next frame as its reply. */
  async ask(message: unknown): Promise<Reply> {
    this.socket.write(clientFrame({ payload: Buffer.from(JSON.stringify(message)) }));
    return JSON.parse(String((await this.nextFrame()).payload));
  }
}
