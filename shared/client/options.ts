// biome-ignore lint/suspicious/noExplicitAny: the DOM, Node, `ws` and fakes have event types with nothing in common
type Listener = ((event: any) => void) | null;

/** The part of a WebSocket that the client uses. */
export interface WebSocketLike {
  onopen: Listener;
  onmessage: Listener;
  onclose: Listener;
  onerror: Listener;
  send(text: string): void;
  close(): void;
}

/** Where it is said that the network came or went: a browser's window. */
export interface NetworkEvents {
  addEventListener(type: 'online' | 'offline', listener: () => void): void;
  removeEventListener(type: 'online' | 'offline', listener: () => void): void;
}

/** What the client knows of the world. A test or a simulator brings its own. */
export interface Environment {
  readonly WebSocket: new (url: string) => WebSocketLike;
  readonly now: () => number;
  /** Since any moment. Unlike `now` it is never set, though it may stand still while the device sleeps. */
  readonly elapsedMs: () => number;
  readonly random: () => number;
  /** The result goes to `clearTimeout` and nowhere else. */
  readonly setTimeout: (run: () => void, ms: number) => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: whatever `setTimeout` gave, which is a number here and an object there
  readonly clearTimeout: (timer: any) => void;
  /** For idempotency keys: unique among all clients. */
  readonly newId: () => string;
  readonly network: NetworkEvents | undefined;
}

export interface Limits {
  readonly connectTimeoutMs: number;
  /**
   * API Gateway gives a command up to 29 s (a cold start, a slow table). With a shorter timeout the next command would be
   * sent while this one is still running, and the two could be carried out in either order.
   */
  readonly commandTimeoutMs: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  readonly heartbeatMs: number;
  readonly pongTimeoutMs: number;
  /** How long a missing message may still be on its way before it is asked for. */
  readonly gapMs: number;
  /**
   * From `publish` to its answer, tries and waits for a connection included. Fanwire knows a key for 5 minutes: a try
   * later than that may become a second message.
   */
  readonly publishTimeoutMs: number;
  /** Publishes without an answer; as many other commands may wait, too. */
  readonly queueMax: number;
  /** Messages that a subscription keeps for an application that is not done with the one before. */
  readonly bufferMax: number;
}

export interface ClientOptions extends Partial<Limits>, Partial<Environment> {
  /** `wss://…/stage`, or a function that is asked before every connection. */
  readonly url: string | (() => string | Promise<string>);
  /**
   * Asked before every connection, so that it may always give a fresh one. If it rejects with a `FanwireError` that is
   * not temporary, the client closes; after any other error it tries again.
   */
  readonly token?: () => string | Promise<string>;
}

export type Settings = ClientOptions & Limits & Environment;

const LIMITS: Limits = {
  connectTimeoutMs: 10_000,
  commandTimeoutMs: 30_000,
  backoffMsMin: 500,
  backoffMsMax: 20_000,
  heartbeatMs: 30_000,
  pongTimeoutMs: 10_000,
  gapMs: 1000,
  publishTimeoutMs: 120_000,
  queueMax: 1000,
  bufferMax: 1000,
};

/** The only place that knows the platform. The functions are wrapped because browsers insist on their `this`. */
const environment = (): Environment => ({
  WebSocket: globalThis.WebSocket,
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
  random: () => Math.random(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  newId,
  network: 'addEventListener' in globalThis ? globalThis : undefined,
});

/** `crypto.randomUUID` is missing on pages that came over plain HTTP. */
const newId = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export const settingsFrom = (options: ClientOptions): Settings => ({
  ...LIMITS,
  ...environment(),
  ...options,
});
