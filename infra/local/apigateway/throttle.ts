import type { Clock } from '../clock.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** What an account may do in a region, with all its APIs together. */
export interface AccountLimits {
  /** Handshakes, whatever becomes of them. */
  readonly connections: Rate;
  /** Messages of clients and calls to @connections. */
  readonly requests: Rate;
}

/** The defaults of most regions (developer guide, "Quotas"). That a burst of 500 may connect is [inference]. */
export const ACCOUNT_LIMITS: AccountLimits = {
  connections: { perSecond: 500, burst: 500 },
  requests: { perSecond: 10_000, burst: 5_000 },
};

const MORE_THAN_ANY: Rate = { perSecond: 1e9, burst: 1e9 };

/** For measurements of what is behind the throttles. */
export const UNLIMITED: AccountLimits = { connections: MORE_THAN_ANY, requests: MORE_THAN_ANY };

/** The throttles of one account: its gateways share them. */
export class Throttle {
  readonly #connections: TokenBucket;
  readonly #requests: TokenBucket;
  readonly #clock: Clock;

  constructor(clock: Clock, limits: Partial<AccountLimits> = {}) {
    const { connections, requests } = { ...ACCOUNT_LIMITS, ...limits };
    this.#clock = clock;
    this.#connections = new TokenBucket(connections, clock.now());
    this.#requests = new TokenBucket(requests, clock.now());
  }

  admitsConnection(): boolean {
    return this.#connections.take(this.#clock.now());
  }

  admitsRequest(): boolean {
    return this.#requests.take(this.#clock.now());
  }
}
