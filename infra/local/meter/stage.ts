import type { StageMeter } from '../apigateway/meter.ts';
import type { Clock } from '../clock.ts';
import type { StageUsage } from './meter.ts';
import { messageUnits } from './units.ts';

const MS_PER_MINUTE = 60_000;

const nothing = () => ({ connections: 0, messagesIn: 0, replies: 0, posts: 0, refusals: 0 });

/** What one stage of a WebSocket API is billed for. A post costs it two additions. */
export class StageCounts implements StageMeter {
  readonly #clock: Clock;
  #counts = nothing();
  #open = 0;
  /** Of all connections together, up to `#countedAtMs`. */
  #connectionMs = 0;
  #countedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAtMs = clock.now();
  }

  opened(): void {
    this.#countTime();
    this.#open++;
    this.#counts.connections++;
  }

  closed(): void {
    this.#countTime();
    this.#open--;
  }

  received(bytes: number): void {
    this.#counts.messagesIn += messageUnits(bytes);
  }

  replied(bytes: number): void {
    this.#counts.replies += messageUnits(bytes);
  }

  /** A call to @connections: only a post that is delivered is a message. */
  managed(method: string | undefined, status: number, bytes: number): void {
    if (status >= 400) this.#counts.refusals++;
    else if (method === 'POST') this.#counts.posts += messageUnits(bytes);
  }

  report(): StageUsage {
    this.#countTime();
    const { connections, ...messages } = this.#counts;
    return { connections, connectionMinutes: this.#connectionMs / MS_PER_MINUTE, ...messages };
  }

  reset(): void {
    this.#countTime();
    this.#counts = nothing();
    this.#connectionMs = 0;
  }

  #countTime(): void {
    const nowMs = this.#clock.now();
    this.#connectionMs += this.#open * (nowMs - this.#countedAtMs);
    this.#countedAtMs = nowMs;
  }
}
