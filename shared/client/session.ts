import type { ServerFrame } from '../protocol/acks.ts';
import { Commands } from './commands.ts';
import { endpoint } from './endpoint.ts';
import { FanwireError, type FanwireErrorCode } from './errors.ts';
import type { Settings, WebSocketLike } from './options.ts';
import { parseServerFrame } from './server-frame.ts';
import { Timers } from './timers.ts';
import { TopicOrder } from './topic-order.ts';

export interface SessionHooks {
  /** A WebSocket is about to be opened. */
  readonly onDial: (token: string | undefined) => void;
  readonly onOpen: () => void;
  /** A frame that answers no command. */
  readonly onFrame: (frame: ServerFrame) => void;
  /** The server will end the connection, and another one is welcome. */
  readonly onClosing: () => void;
  /** No topic has a step left to do. */
  readonly onIdle: () => void;
  readonly onError: (error: FanwireError) => void;
  /** Called once, before the commands that have no answer yet get the reason as theirs. */
  readonly onEnd: (reason: FanwireError) => void;
}

/** From an error of a WebSocket to the close event that should follow at once. */
const CLOSE_MS_MAX = 1000;

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
  /** What the server has said of why it will end the connection. */
  closing: FanwireError | undefined;
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
    const { connectTimeoutMs } = this.#settings;
    this.#cancelTimeout = this.timers.after(connectTimeoutMs, () => {
      this.end(new FanwireError('timeout', `expected a connection within ${connectTimeoutMs} ms, got none`));
    });
    // Never at once, so that whoever has just made the client can hear how it ends.
    endpoint(this.#settings).then(
      (it) => this.#dial(...it),
      (error) => this.end(error),
    );
  }

  /** With a refusal if that is because of one of the frames that were sent. */
  end(found: FanwireError, refusal?: FanwireError): void {
    if (this.#over) return;
    const reason = found.code === 'closed' ? found : (this.closing ?? found);
    this.#over = true;
    this.isOpen = false;
    this.timers.clear();
    this.topicOrder.close();
    this.#socket?.close();
    this.#hooks.onEnd(reason);
    const code = reason.code === 'closed' ? 'closed' : 'disconnected';
    this.commands.end(new FanwireError(code, reason.message, { cause: reason }), refusal);
  }

  #dial(url: string, token?: string): void {
    if (this.#over) return;
    this.#hooks.onDial(token);
    try {
      this.#socket = open(this.#settings.WebSocket, url, token);
    } catch (error) {
      this.end(error as FanwireError);
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
    let said = '';
    // A close event should follow, and says more. Node 22 gives none after a handshake that failed.
    this.#socket.onerror = (event) => {
      if (this.#over) return;
      said = wordsOf(event);
      this.timers.after(CLOSE_MS_MAX, () => this.end(closedBy(this.isOpen, 'an error', said)));
    };
    this.#socket.onclose = ({ code, reason }) => {
      const end = closedBy(this.isOpen, `a close with ${code}`, said || withoutSecrets(reason));
      this.end(end, REFUSALS[code] && new FanwireError(REFUSALS[code], end.message));
    };
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
      const settled = this.commands.settle(frame);
      // An ack that answers nothing may be anybody's, and says nothing of the server.
      if (settled instanceof FanwireError) this.#hooks.onError(settled);
      else if (settled) this.proven = true;
    } else if (frame.type === 'error') {
      const error = new FanwireError(frame.code, frame.message, { retryAfterMs: frame.retryAfterMs });
      // The server has given up this connection, and says what to do: take another.
      if (error.code === 'gone') this.end(error);
      else if (!this.commands.refuse(frame.id, error)) this.#hooks.onError(error);
    } else if (frame.type === 'closing') {
      this.closing = new FanwireError(frame.code, frame.message, { temporary: frame.reconnect });
      if (frame.reconnect) this.#hooks.onClosing();
      else this.end(this.closing);
    } else {
      this.#hooks.onFrame(frame);
    }
  }
}

function open(WebSocket: Settings['WebSocket'], url: string, token: string | undefined): WebSocketLike {
  let socket: WebSocketLike;
  try {
    // A browser's WebSocket sends no header that one could choose but this.
    socket = new WebSocket(url, token ? ['fanwire', `bearer.${token}`] : []);
  } catch (cause) {
    // The cause itself stays here: it may have the URL or the token in it.
    const got = `${nameOf(cause)} (SecurityError: a page over https needs wss://)`;
    throw new FanwireError('bad_request', `expected WebSocket to take the URL, got ${got}`);
  }
  if (typeof socket.send === 'function' && typeof socket.close === 'function') return socket;
  throw new FanwireError('bad_request', 'expected WebSocket to give one, got something else');
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'an error');

/** What the platform says of an error: a browser nothing, Node and `ws` a line. */
const wordsOf = (event: unknown): string =>
  typeof event === 'object' && event !== null && 'message' in event ? withoutSecrets(event.message) : '';

const WORDS_LENGTH_MAX = 200;

/** A URL's query may have a secret in it. */
const withoutSecrets = (text: unknown): string =>
  typeof text === 'string' ? text.replace(/\?\S*/g, '?…').slice(0, WORDS_LENGTH_MAX) : '';

function closedBy(wasOpen: boolean, got: string, said: string): FanwireError {
  const because = said ? `, because of: ${said}` : '';
  const expected = wasOpen
    ? `expected no end of the connection, got ${got}${because}`
    : `expected a connection, got ${got}${because}; ${NEVER_OPEN}`;
  return new FanwireError('disconnected', expected);
}

/** A frame was too large, or not of a kind that the server takes (RFC 6455, 7.4.1): the same would be refused again. */
const REFUSALS: { readonly [code: number]: FanwireErrorCode } = { 1009: 'too_large', 1003: 'bad_request' };

/** The platform does not tell these apart: a browser on purpose, Node by its API. */
const NEVER_OPEN =
  'there may be no network, no server at the URL, or one that refused the handshake: the token, the stage, or all for now';
