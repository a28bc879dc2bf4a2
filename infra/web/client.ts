import {
  type AckFrame,
  type Action,
  type ErrorFrame,
  type MessageFrame,
  type MessagesFrame,
  messagesIn,
} from '../../shared/protocol.ts';

/** The page's side of the wire: one connection at a time, made anew when it drops. It knows nothing of the DOM. */

const CONNECT_MS_MAX = 15_000;
const REPLY_MS_MAX = 15_000;
/** API Gateway closes a connection that idles for 10 minutes. */
const PING_PERIOD_MS = 5 * 60_000;
const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;

export type State =
  | { readonly name: 'disconnected' }
  | { readonly name: 'connecting' }
  | { readonly name: 'connected'; readonly connectionId: string }
  | { readonly name: 'waiting'; readonly retryInMs: number };
export type TopicState = 'joining' | 'joined' | 'leaving';

export interface Handlers {
  readonly onChange: (state: State, topics: ReadonlyMap<string, TopicState>) => void;
  readonly onMessage: (message: MessageFrame) => void;
  /** Text that is no frame of Fanwire's: whoever may call `@connections` can post what they like. */
  readonly onText: (text: string) => void;
  readonly onError: (error: unknown) => void;
}

interface Pending {
  readonly resolve: (ack: AckFrame) => void;
  readonly reject: (error: Error) => void;
}

/** There is no connection, or it ended before the answer. Topics are joined again; messages are not sent again. */
class Dropped extends Error {
  override readonly name = 'Dropped';
}

export class Client {
  readonly #handlers: Handlers;
  readonly #random: () => number;
  /** What the person wants to be in, connected or not. */
  readonly #topics = new Map<string, TopicState>();
  readonly #pending = new Map<string, Pending>();
  #state: State = { name: 'disconnected' };
  #url = '';
  #socket: WebSocket | undefined;
  /** Aborted when the socket is given up: from then on its events are nobody's. */
  #givenUp = new AbortController();
  /** What the state ends with unless something else happens: a connect that takes too long, a ping, or the next try. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #commandsSent = 0;
  #lastCommand: Promise<unknown> = Promise.resolve();

  constructor(handlers: Handlers, random: () => number = Math.random) {
    this.#handlers = handlers;
    this.#random = random;
  }

  connect(url: string): void {
    this.#giveUp();
    this.#url = url;
    this.#failures = 0;
    this.#open();
  }

  disconnect(): void {
    this.#giveUp();
    this.#become({ name: 'disconnected' });
  }

  /** Without a connection the topic is joined with the next one. */
  async join(topic: string): Promise<void> {
    this.#setTopic(topic, 'joining');
    if (this.#state.name === 'connected') await this.#subscribe(topic);
  }

  async leave(topic: string): Promise<void> {
    if (this.#state.name !== 'connected') return this.#setTopic(topic, undefined);
    this.#setTopic(topic, 'leaving');
    try {
      await this.#command('unsubscribe', { topic });
    } catch (error) {
      // A subscription ends with its connection.
      if (error instanceof Dropped) return;
      this.#setTopic(topic, 'joined');
      throw error;
    }
    if (this.#topics.get(topic) === 'leaving') this.#setTopic(topic, undefined);
  }

  async publish(topic: string, data: unknown): Promise<void> {
    await this.#command('publish', { topic, data });
  }

  #open(): void {
    const { signal } = this.#givenUp;
    const socket = new WebSocket(this.#url);
    socket.addEventListener('open', () => this.#greet(), { signal });
    socket.addEventListener('message', ({ data }) => this.#receive(data), { signal });
    socket.addEventListener('close', () => this.#retry(), { signal });
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#retry(), CONNECT_MS_MAX);
    this.#become({ name: 'connecting' });
  }

  #giveUp(): void {
    this.#givenUp.abort();
    this.#givenUp = new AbortController();
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
    for (const { reject } of this.#pending.values()) {
      reject(new Dropped('expected an answer, but the connection ended before it came'));
    }
    for (const [topic, state] of this.#topics) {
      if (state === 'leaving') this.#topics.delete(topic);
      else this.#topics.set(topic, 'joining');
    }
  }

  /** With full jitter, so that the clients of a system that restarts do not all come back at once. */
  #retry(): void {
    this.#giveUp();
    const retryInMs = this.#random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#open(), retryInMs);
    this.#become({ name: 'waiting', retryInMs });
  }

  async #greet(): Promise<void> {
    const ack = await this.#probe('whoami');
    if (!ack) return;
    this.#failures = 0;
    this.#become({ name: 'connected', connectionId: String(ack.connectionId) });
    for (const topic of this.#topics.keys()) this.#subscribe(topic).catch(this.#handlers.onError);
  }

  /** Asks what every healthy connection answers, again and again; a connection that does not answer is replaced. */
  async #probe(action: 'whoami' | 'ping'): Promise<AckFrame | undefined> {
    clearTimeout(this.#timer);
    try {
      const ack = await this.#command(action);
      this.#timer = setTimeout(() => this.#probe('ping'), PING_PERIOD_MS);
      return ack;
    } catch (error) {
      if (error instanceof Dropped) return undefined;
      this.#handlers.onError(error);
      this.#retry();
      return undefined;
    }
  }

  async #subscribe(topic: string): Promise<void> {
    try {
      await this.#command('subscribe', { topic });
    } catch (error) {
      if (error instanceof Dropped) return;
      this.#setTopic(topic, undefined);
      throw error;
    }
    if (this.#topics.get(topic) === 'joining') this.#setTopic(topic, 'joined');
  }

  /**
   * Sends a command when those before it have been answered: API Gateway runs the frames of a connection side by side,
   * so that a leave could overtake its join, and a message the one before it.
   */
  #command(action: Action, fields: object = {}): Promise<AckFrame> {
    const reply = this.#lastCommand.then(() => this.#request(action, fields));
    // Only the order matters here: a failure is for whoever gave the command.
    this.#lastCommand = reply.catch(() => {});
    return reply;
  }

  async #request(action: Action, fields: object): Promise<AckFrame> {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      throw new Dropped(`expected a connection to ${action} on, got none`);
    }
    const id = String(++this.#commandsSent);
    const { promise, resolve, reject } = Promise.withResolvers<AckFrame>();
    const late = () =>
      reject(new Error(`expected an answer to ${action} in ${REPLY_MS_MAX / 1000} s, got none`));
    const timer = setTimeout(late, REPLY_MS_MAX);
    this.#pending.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ action, id, ...fields }));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  #receive(text: string): void {
    const frame = parseFrame(text);
    if (frame?.type === 'message' || frame?.type === 'messages') {
      for (const message of messagesIn(frame)) this.#handlers.onMessage(message);
    } else if (frame?.type === 'ack') this.#pending.get(frame.id ?? '')?.resolve(frame);
    else if (frame?.type === 'error') this.#refuse(frame);
    else this.#handlers.onText(text);
  }

  #refuse({ id = '', code, message }: ErrorFrame): void {
    const error = new Error(`${message} (${code})`);
    const pending = this.#pending.get(id);
    if (pending) pending.reject(error);
    else this.#handlers.onError(error);
  }

  #setTopic(topic: string, state: TopicState | undefined): void {
    if (state) this.#topics.set(topic, state);
    else this.#topics.delete(topic);
    this.#become(this.#state);
  }

  #become(state: State): void {
    this.#state = state;
    this.#handlers.onChange(state, this.#topics);
  }
}

type Frame = AckFrame | ErrorFrame | MessageFrame | MessagesFrame;

/** A frame of Fanwire's, or undefined for anything else. */
function parseFrame(text: string): Frame | undefined {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(frame)) return undefined;
  const messages = frame.type === 'messages' ? frame.messages : frame.type === 'message' ? [frame] : [];
  if (!Array.isArray(messages) || !messages.every(isMessage)) return undefined;
  // Its type says which of them it is, and whatever else is in it is only ever shown as text.
  return frame as unknown as Frame;
}

const isMessage = (value: unknown): boolean => isObject(value) && isObject(value.publisher);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
