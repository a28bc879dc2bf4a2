import {
  type Client,
  type ClientOptions,
  connect,
  type FanwireError,
  type Message,
  type Recovery,
  type StateChange,
  type SubscribeOptions,
  type Subscription,
} from '../../../shared/client/index.ts';
import { Clock } from './clock.ts';
import { FakeServer } from './fake-server.ts';

/** A browser's window, as far as the network is concerned. */
export class Network {
  readonly #listeners = new Map<string, Set<() => void>>();

  addEventListener(type: string, listener: () => void): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener));
  }

  removeEventListener(type: string, listener: () => void): void {
    this.#listeners.get(type)?.delete(listener);
  }

  say(type: 'online' | 'offline'): void {
    for (const listener of this.#listeners.get(type) ?? []) listener();
  }

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

export interface World {
  readonly clock: Clock;
  readonly server: FakeServer;
  readonly network: Network;
  readonly client: Client;
  readonly states: StateChange[];
  readonly errors: FanwireError[];
  readonly direct: unknown[];
}

/** A client and its server. Nothing is random: a backoff is half of what it could be. */
export function world(
  options: Partial<ClientOptions> = {},
  prepare: (server: FakeServer) => void = () => {},
  clock = new Clock(),
): World {
  const server = new FakeServer(clock);
  prepare(server);
  const network = new Network();
  let keys = 0;
  const client = connect({
    url: 'wss://fanwire.test/prod',
    WebSocket: server.WebSocket,
    now: clock.now,
    elapsedMs: clock.now,
    random: () => 0.5,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    newId: () => `key${++keys}`,
    network,
    ...options,
  });
  const states: StateChange[] = [];
  const errors: FanwireError[] = [];
  const direct: unknown[] = [];
  client.on('state', (change) => states.push(change));
  client.on('error', (error) => errors.push(error));
  client.on('message', ({ data }) => direct.push(data));
  return { clock, server, network, client, states, errors, direct };
}

/** Connected. */
export async function connected(
  options: Partial<ClientOptions> = {},
  prepare?: (server: FakeServer) => void,
  clock?: Clock,
): Promise<World> {
  const it = world(options, prepare, clock);
  await it.clock.advance(50);
  return it;
}

export interface Listened {
  readonly sub: Subscription;
  /** The data of the messages, in order. */
  readonly data: unknown[];
  readonly messages: Message[];
  readonly recoveries: Recovery[];
}

export function listen(client: Client, topic: string, options: SubscribeOptions = {}): Listened {
  const messages: Message[] = [];
  const data: unknown[] = [];
  const recoveries: Recovery[] = [];
  const sub = client.subscribe(topic, {
    ...options,
    onMessage: (message) => {
      messages.push(message);
      data.push(message.data);
      return options.onMessage?.(message);
    },
    onRecovery: (recovery) => {
      recoveries.push(recovery);
      return options.onRecovery?.(recovery);
    },
  });
  return { sub, data, messages, recoveries };
}

/** What a promise has come to, without waiting for it. */
export function outcomeOf<T>(promise: Promise<T>): { value?: T; error?: FanwireError } {
  const outcome: { value?: T; error?: FanwireError } = {};
  promise.then(
    (value) => {
      outcome.value = value;
    },
    (error) => {
      outcome.error = error;
    },
  );
  return outcome;
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
