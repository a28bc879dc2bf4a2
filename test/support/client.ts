import { once } from 'node:events';
import { WebSocket } from 'ws';
import { messagesIn } from '../../shared/protocol/acks.ts';
import { COMMAND_BYTES_MAX } from '../../shared/protocol/frames.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test looks at frames as they came, and a wrong shape fails it
type Frame = any;

/** A WebSocket client that keeps every frame it got (of several messages: each as if alone), and can wait for one. */
export class Client {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  /** The same, as they came. */
  readonly texts: string[] = [];
  #waiters: { readonly matches: (frame: Frame) => boolean; readonly resolve: (frame: Frame) => void }[] = [];
  #nextId = 0;

  private constructor(url: string, protocols: readonly string[]) {
    this.socket = new WebSocket(url, [...protocols]);
    this.socket.on('message', (data) => {
      const text = String(data);
      this.texts.push(text);
      const frame = JSON.parse(text);
      for (const each of frame.type === 'messages' ? messagesIn(frame) : [frame]) this.#receive(each);
    });
  }

  static async open(url: string, protocols: readonly string[] = []): Promise<Client> {
    const client = new Client(url, protocols);
    await once(client.socket, 'open'); // rejects on an error
    return client;
  }

  /** The messages among the frames. */
  get messages(): Frame[] {
    return this.frames.filter(({ type }) => type === 'message');
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends a text in frames of the size that API Gateway takes, which a browser cannot. */
  sendInFrames(text: string): void {
    const bytes = Buffer.from(text);
    let at = 0;
    do {
      const frame = bytes.subarray(at, at + COMMAND_BYTES_MAX);
      at += COMMAND_BYTES_MAX;
      this.socket.send(frame, { binary: false, fin: at >= bytes.length });
    } while (at < bytes.length);
  }

  /** Sends a command and waits for its reply. */
  ask(command: object): Promise<Frame> {
    const id = `t${++this.#nextId}`;
    const reply = this.wait((frame) => frame.id === id);
    this.send({ ...command, id });
    return reply;
  }

  async subscribe(topic: string): Promise<void> {
    const reply = await this.ask({ action: 'subscribe', topic });
    if (reply.type !== 'ack') throw new Error(`expected an ack, got ${JSON.stringify(reply)}`);
  }

  /** The first frame that matches, of those that came and those to come. */
  wait(matches: (frame: Frame) => boolean): Promise<Frame> {
    const found = this.frames.find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiters.push({ matches, resolve }));
  }

  /** A message with this data. */
  message(data: unknown): Promise<Frame> {
    const text = JSON.stringify(data);
    return this.wait((frame) => frame.type === 'message' && JSON.stringify(frame.data) === text);
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.close();
    await once(this.socket, 'close');
  }

  #receive(frame: Frame): void {
    this.frames.push(frame);
    this.#waiters = this.#waiters.filter(({ matches, resolve }) => !matches(frame) || resolve(frame));
  }
}
