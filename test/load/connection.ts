import type { Action } from '../../shared/protocol/frames.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface ConnectionHandlers {
  /** Every frame that answers no command. */
  readonly onFrame: (frame: Fields) => void;
  /** The connection is gone, and it was not `close` that ended it. */
  readonly onDrop: (code: string) => void;
}

interface Pending {
  readonly resolve: (ack: Fields) => void;
  readonly reject: (error: Failure) => void;
}

const CONNECT_MS_MAX = 10_000;
const REPLY_MS_MAX = 10_000;

/** Something went wrong that the report counts by its code. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** One WebSocket that sends commands and finds their answers among everything that arrives. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #handlers: ConnectionHandlers;
  readonly #pending = new Map<string, Pending>();
  #commandsSent = 0;
  #isClosing = false;

  static async open(url: string, handlers: ConnectionHandlers): Promise<Connection> {
    const socket = new WebSocket(url);
    const opened = Promise.withResolvers<void>();
    const timer = setTimeout(() => opened.reject(new Failure('connect_timeout')), CONNECT_MS_MAX);
    socket.addEventListener('open', () => opened.resolve(), { once: true });
    socket.addEventListener('close', () => opened.reject(new Failure('connect_failed')), { once: true });
    try {
      await opened.promise;
    } catch (error) {
      socket.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return new Connection(socket, handlers);
  }

  private constructor(socket: WebSocket, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('close', ({ code }) => this.#drop(`closed_${code}`));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Resolves with the acknowledgement, or fails with the code of what came instead of one. */
  async command(action: Action, fields: Fields): Promise<Fields> {
    if (!this.isOpen) throw new Failure('not_connected');
    const id = String(++this.#commandsSent);
    const { promise, resolve, reject } = Promise.withResolvers<Fields>();
    const timer = setTimeout(() => reject(new Failure('no_reply')), REPLY_MS_MAX);
    this.#pending.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ action, id, ...fields }));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.close(1000);
  }

  #receive(text: string): void {
    const frame = parse(text);
    const pending = this.#pending.get(String(frame.id));
    if (pending && frame.type === 'ack') pending.resolve(frame);
    else if (pending && frame.type === 'error') pending.reject(new Failure(String(frame.code)));
    else this.#handlers.onFrame(frame);
  }

  #drop(code: string): void {
    if (this.#isClosing) return;
    this.#handlers.onDrop(code);
    for (const { reject } of this.#pending.values()) reject(new Failure('dropped'));
  }
}

function parse(text: string): Fields {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null ? (frame as Fields) : {};
  } catch {
    return {}; // no command's answer, and of no type: the client counts it as an unexpected frame
  }
}
