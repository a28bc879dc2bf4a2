import { isRecord } from '../protocol/json.ts';
import {
  badArgument,
  expectOptions,
  expectToGive,
  isFromTo,
  isFunction,
  type Rule,
  type Rules,
} from './arguments.ts';
import { isCountFrom, isString } from './guards.ts';

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
  /** The protocols are what a token travels in: none without one. */
  readonly WebSocket: new (
    url: string,
    protocols?: string[],
  ) => WebSocketLike;
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

/** The times may be Infinity: never. Only the waits of the backoff end within a day. */
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

/** An option that is undefined is as if it were not there. */
type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface ClientOptions extends Given<Limits>, Given<Environment> {
  /** `wss://…/stage`, or a function that is asked before every connection. */
  readonly url: string | (() => string | Promise<string>);
  /**
   * Asked before every connection and before the last one ends, so that it may always give a fresh one, of the characters that a subprotocol may have.
   * If it rejects with a `FanwireError` that is not temporary, the client closes; after any other error it tries again.
   */
  readonly token?: (() => string | Promise<string>) | undefined;
}

export type Settings = Pick<ClientOptions, 'url' | 'token'> & Limits & Environment;

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

const DAY_MS = 86_400_000;

const timeFrom = (min: number): Rule => ({
  expected: `a number of milliseconds from ${min}, or Infinity`,
  holds: isFromTo(min, Infinity),
});
/** Each try costs money, and a server that is down has many clients that try. */
const wait: Rule = {
  expected: `100 to ${DAY_MS} milliseconds`,
  holds: isFromTo(100, DAY_MS),
};
const count: Rule = {
  expected: 'a whole number from 1, or Infinity',
  holds: (value) => value === Infinity || isCountFrom(1)(value),
};
const aFunction: Rule = { expected: 'a function', holds: isFunction };
const AT_ONCE = 'a call at once';
const time: Rule = { expected: 'a finite number', holds: Number.isFinite };
const chance: Rule = { expected: 'a number from 0 to 1', holds: isFromTo(0, 1) };
const later: Rule = { expected: 'a call later', holds: (value) => value !== AT_ONCE };
const noError: Rule = { expected: 'no error', holds: () => true };

export const A_URL = 'the URL of a WebSocket, wss://… or ws://… without a #';

/** Every option that there is. A URL and a token are not shown: a URL may have a secret in it. */
const RULES: { readonly [K in keyof ClientOptions]-?: Rule } = {
  url: {
    expected: `${A_URL}, or a function`,
    holds: (value) => isFunction(value) || isWebSocketUrl(value),
    isSecret: true,
  },
  token: { ...aFunction, isSecret: true },
  connectTimeoutMs: timeFrom(100),
  commandTimeoutMs: timeFrom(100),
  backoffMsMin: wait,
  backoffMsMax: wait,
  heartbeatMs: timeFrom(1000),
  pongTimeoutMs: timeFrom(100),
  gapMs: timeFrom(10),
  publishTimeoutMs: timeFrom(100),
  queueMax: count,
  bufferMax: count,
  WebSocket: aFunction,
  now: aFunction,
  elapsedMs: aFunction,
  random: aFunction,
  setTimeout: aFunction,
  clearTimeout: aFunction,
  newId: aFunction,
  network: {
    expected: 'something with addEventListener and removeEventListener',
    holds: (value) =>
      isRecord(value) && isFunction(value.addEventListener) && isFunction(value.removeEventListener),
  },
};

/** What every platform connects to, as far as one can tell before. Older browsers have no `canParse`, and say so later. */
export const isWebSocketUrl = (value: unknown): value is string =>
  isString(value) && /^wss?:\/\/[^#]+$/i.test(value) && URL.canParse?.(value) !== false;

/** With what the platform has where an option is not given. Throws `bad_request` for options that cannot work. */
export function settingsFrom(options: ClientOptions): Settings {
  const read = expectOptions('options', options, RULES as Rules);
  if (read.url === undefined) throw badArgument(`url to be ${RULES.url.expected}`, undefined);
  const given = Object.entries(read).filter(([, value]) => value !== undefined);
  const settings: Settings = { ...LIMITS, ...environment(), ...Object.fromEntries(given) } as Settings;
  const { WebSocket, backoffMsMin, backoffMsMax } = settings;
  if (!WebSocket) {
    throw badArgument('a platform with WebSocket, or the option WebSocket, as of the package ws', undefined);
  }
  if (backoffMsMax < backoffMsMin) {
    throw badArgument(`backoffMsMax to be at least backoffMsMin, which is ${backoffMsMin}`, backoffMsMax);
  }
  tryOut(settings);
  return settings;
}

/** What is called later, where nobody could be told that it does not work, is called once now. */
function tryOut({ now, elapsedMs, random, setTimeout, clearTimeout, network }: Environment): void {
  const nothing = () => {};
  expectToGive('now', now, time);
  expectToGive('elapsedMs', elapsedMs, time);
  expectToGive('random', random, chance);
  expectToGive('setTimeout', () => tryTimer({ setTimeout, clearTimeout }), later);
  expectToGive(
    'network',
    () => {
      network?.addEventListener('online', nothing);
      network?.removeEventListener('online', nothing);
    },
    noError,
  );
}

/** One that calls at once would have the client call itself without an end. */
function tryTimer({ setTimeout, clearTimeout }: Pick<Environment, 'setTimeout' | 'clearTimeout'>): unknown {
  let called: string | undefined;
  const timer = setTimeout(() => {
    called = AT_ONCE;
  }, 0);
  clearTimeout(timer);
  return called;
}
