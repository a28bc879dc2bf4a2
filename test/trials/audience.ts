import type { Recovery, State, Subscription } from '../../shared/client/index.ts';
import { type Client, connect, type Message } from '../../shared/client/index.ts';
import { Network } from './network.ts';

export interface Seen {
  readonly offset: number;
  readonly data: unknown;
  readonly atMs: number;
}

/** An application with the client SDK that writes down what reaches it. */
export class Listener {
  readonly network = new Network();
  readonly client: Client;
  readonly states: State[] = [];
  readonly recoveries: Recovery[] = [];
  readonly seen: Seen[] = [];
  readonly errors: unknown[] = [];

  constructor(url: string, options: Partial<Parameters<typeof connect>[0]> = {}) {
    this.client = connect({ url, WebSocket: this.network.WebSocket, ...options });
    this.client.on('state', ({ state }) => this.states.push(state));
    this.client.on('error', (error) => this.errors.push(error));
  }

  listen(topic: string, options: { readonly rewind?: number } = {}): Subscription {
    return this.client.subscribe(topic, {
      ...options,
      onMessage: (message: Message) =>
        this.seen.push({ offset: Number(message.offset), data: message.data, atMs: Date.now() }),
      onRecovery: (recovery) => this.recoveries.push(recovery),
    });
  }

  get offsets(): number[] {
    return this.seen.map(({ offset }) => offset);
  }
}

export interface Account {
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
}

/** What is wrong with offsets that should go from `from` to `to`. */
export function accountOf(offsets: readonly number[], from: number, to: number): Account {
  const distinct = new Set(offsets);
  let lost = 0;
  for (let offset = from; offset <= to; offset++) if (!distinct.has(offset)) lost += 1;
  return {
    lost,
    duplicated: offsets.length - distinct.size,
    outOfOrder: offsets.filter((offset, index) => index > 0 && offset < Number(offsets[index - 1])).length,
  };
}

export const total = (accounts: readonly Account[]): Account => ({
  lost: accounts.reduce((sum, { lost }) => sum + lost, 0),
  duplicated: accounts.reduce((sum, { duplicated }) => sum + duplicated, 0),
  outOfOrder: accounts.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0),
});
