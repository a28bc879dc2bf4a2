import type { ServerFrame } from '../protocol/acks.ts';
import { Commands } from './commands.ts';
import { FanwireError } from './errors.ts';
import type { Settings, WebSocketLike } from './options.ts';
import { parseServerFrame } from './server-frame.ts';
import { Timers } from './timers.ts';
import { TopicOrder } from './topic-order.ts';

export interface SessionHooks {
  readonly onOpen: () => void;
  /** A frame that answers no command. */
  readonly onFrame: (frame: ServerFrame) => void;
  /** No topic has a step left to do. */
  readonly onIdle: () => void;
  readonly onError: (error: FanwireError) => void;
  /** Called once, before the commands that have no answer yet get the reason as theirs. */
  readonly onEnd: (reason: FanwireError) => void;
}

/** One connection, from before it is dialled to its end. After a drop the next one is another session. */
export class Session {
  readonly timers: Timers;
  readonly commands: Commands;
  readonly topicOrder: TopicOrder;
  /** How many frames have come: any of them is a sign of life. */
  received = 0;
  /** When the last one came, or the connection was opened. */
  receivedAtMs = 0;
  /** Whether the server has carried out a command. Until then an open connection is no sign that things are well. */
  proven = false;
  isOpen = false;
  readonly #settings: Settings;
  readonly #hooks: SessionHooks;
  #socket: WebSocketLike | undefined;
  #over = false;
  #cancelTimeout = () => {};

  constructor(settings: Settings, hooks: SessionHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.timers = new Timers(settings);
    this.commands = new Commands(settings, (text) => this.#socket?.send(text));
    this.topicOrder = new TopicOrder(this.commands, settings, this.timers, hooks.onIdle);
  }

  start(): void {
    const { url, token, connectTimeoutMs } = this.#settings;
    this.#cancelTimeout = this.timers.after(connectTimeoutMs, () => {
      this.end(new FanwireError('timeout', `expected a connection within ${connectTimeoutMs} ms, got none`));
    });
    if (typeof url === 'string' && !token) {
      this.#dial(url);
      return;
    }
    endpoint(this.#settings).then(
      (it) => this.#dial(it),
      (error) => this.end(error),
    );
  }

  end(reason: FanwireError): void {
    if (this.#over) return;
    this.#over = true;
    this.isOpen = false;
    this.timers.clear();
    this.topicOrder.close();
    this.#socket?.close();
    this.#hooks.onEnd(reason);
    const code = reason.code === 'closed' ? 'closed' : 'disconnected';
    this.commands.end(new FanwireError(code, reason.message, { cause: reason }));
  }

  #dial(url: string): void {
    if (this.#over) return;
    try {
      this.#socket = new this.#settings.WebSocket(url);
    } catch (cause) {
      // Not said with the URL, which may have a token in it.
      this.end(new FanwireError('bad_request', 'expected the URL of a WebSocket', { cause }));
      return;
    }
    this.#socket.onopen = () => {
      if (this.#over) return;
      this.#cancelTimeout();
      this.isOpen = true;
      this.receivedAtMs = this.#settings.now();
      this.#hooks.onOpen();
    };
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code }) => this.end(closedBy(this.isOpen, code));
    // A close event follows every error event, and is what ends the session.
    this.#socket.onerror = () => {};
  }

  #receive(data: unknown): void {
    if (this.#over) return;
    this.received++;
    this.receivedAtMs = this.#settings.now();
    let frame: ServerFrame | undefined;
    try {
      frame = parseServerFrame(data);
    } catch (error) {
      this.#hooks.onError(error as FanwireError);
    }
    if (frame) this.#take(frame);
  }

  #take(frame: ServerFrame): void {
    if (frame.type === 'ack') {
      const misfit = this.commands.settle(frame);
      if (misfit) this.#hooks.onError(misfit);
      else this.proven = true;
    } else if (frame.type === 'error') {
      const error = new FanwireError(frame.code, frame.message);
      // The server has given up this connection, and says what to do: take another.
      if (error.code === 'gone') this.end(error);
      else if (!this.commands.refuse(frame.id, error)) this.#hooks.onError(error);
    } else {
      this.#hooks.onFrame(frame);
    }
  }
}

const closedBy = (wasOpen: boolean, code: unknown): FanwireError =>
  new FanwireError(
    'disconnected',
    `expected ${wasOpen ? 'no end of the connection' : 'a connection'}, got a close with ${code}`,
  );

/** Where to connect. The one place that knows how a token gets there. */
async function endpoint({ url, token }: Settings): Promise<string> {
  try {
    const base = typeof url === 'function' ? await url() : url;
    if (!token) return base;
    return `${base}${base.includes('?') ? '&' : '?'}token=${encodeURIComponent(await token())}`;
  } catch (cause) {
    if (cause instanceof FanwireError) throw cause;
    throw new FanwireError('unavailable', 'expected a URL and a token, got an error', { cause });
  }
}
