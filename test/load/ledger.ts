/**
 * The run's plan in numbers: clients, topics and messages count from 0. Client c is on topic c modulo topics, and
 * message m is published by client m modulo clients, on its own topic, so a number says all about a message.
 */
export interface Plan {
  readonly clients: number;
  readonly topics: number;
  readonly messages: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Result {
  readonly connected: number;
  readonly subscribed: number;
  readonly published: number;
  readonly acknowledged: number;
  /** Deliveries that were due, and those of them that came. */
  readonly expected: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** How often, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** From just before the publish was sent, in milliseconds; nothing when nothing came. */
  readonly toReceive: Percentiles | undefined;
  readonly toAcknowledge: Percentiles | undefined;
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Keeps account of every delivery. One is due if the message was acknowledged, and the subscriber's subscribe was
 * acknowledged before the message was sent, and the subscriber stayed. What is due is counted when it becomes due, so
 * that the moment in which everything has arrived is known at once.
 */
export class Ledger {
  readonly #plan: Plan;
  /** By client; NEVER for one that is not subscribed, or no longer. */
  readonly #subscribedAt: Float64Array;
  /** By message; NaN, which compares with nothing, until it is sent. */
  readonly #sentAt: Float64Array;
  readonly #isAcknowledged: Uint8Array;
  /** By client and message. */
  readonly #hasArrived: readonly Uint8Array[];
  /** By client and publisher: the last message that arrived in order. */
  readonly #newest: readonly Int32Array[];
  readonly #receiveMs: number[] = [];
  readonly #acknowledgeMs: number[] = [];
  readonly #errors = new Map<string, number>();
  readonly #counts = { connected: 0, subscribed: 0, published: 0, expected: 0, duplicated: 0, outOfOrder: 0 };
  #missing = 0;
  #onComplete: (() => void) | undefined;

  constructor(plan: Plan) {
    const { clients, messages } = plan;
    this.#plan = plan;
    this.#subscribedAt = new Float64Array(clients).fill(NEVER);
    this.#sentAt = new Float64Array(messages).fill(Number.NaN);
    this.#isAcknowledged = new Uint8Array(messages);
    this.#hasArrived = Array.from({ length: clients }, () => new Uint8Array(messages));
    this.#newest = Array.from({ length: clients }, () => new Int32Array(clients).fill(-1));
  }

  connected(): void {
    this.#counts.connected++;
  }

  /** `at` is when the acknowledgement came, as everywhere: milliseconds of one clock. */
  subscribed(client: number, at: number): void {
    this.#counts.subscribed++;
    this.#subscribedAt[client] = at;
  }

  sent(message: number, at: number): void {
    this.#counts.published++;
    this.#sentAt[message] = at;
  }

  acknowledged(message: number, at: number): void {
    this.#isAcknowledged[message] = 1;
    this.#acknowledgeMs.push(at - this.#sentTime(message));
    const { clients, topics } = this.#plan;
    for (let client = this.#topicOf(message); client < clients; client += topics) {
      if (this.#isDue(client, message)) this.#count(client, message, +1);
    }
  }

  /** Answers whether the message was one that this client may get. */
  received(client: number, message: number, at: number): boolean {
    if (!(this.#sentTime(message) <= at) || this.#topicOf(message) !== client % this.#plan.topics)
      return false;
    const arrived = this.#arrivals(client);
    if (arrived[message]) {
      this.#counts.duplicated++;
      return true;
    }
    if (this.#isDue(client, message)) this.#missing--;
    arrived[message] = 1;
    this.#receiveMs.push(at - this.#sentTime(message));
    this.#noteOrder(client, message);
    this.#announce();
    return true;
  }

  /** Nothing is due to a client that is gone, not even what was due before. */
  left(client: number): void {
    for (let message = 0; message < this.#plan.messages; message++) {
      if (this.#isDue(client, message)) this.#count(client, message, -1);
    }
    this.#subscribedAt[client] = NEVER;
    this.#announce();
  }

  failed(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  /** Resolves once everything has arrived that is due. To be asked when nothing more is published. */
  async complete(): Promise<void> {
    if (this.#missing > 0) await new Promise<void>((resolve) => (this.#onComplete = resolve));
  }

  result(): Result {
    return {
      ...this.#counts,
      acknowledged: this.#acknowledgeMs.length,
      received: this.#counts.expected - this.#missing,
      lost: this.#missing,
      errors: Object.fromEntries(this.#errors),
      toReceive: percentilesOf(this.#receiveMs),
      toAcknowledge: percentilesOf(this.#acknowledgeMs),
    };
  }

  #isDue(client: number, message: number): boolean {
    const isOnTopic = client % this.#plan.topics === this.#topicOf(message);
    const subscribedAt = this.#subscribedAt[client] ?? NEVER;
    return isOnTopic && this.#isAcknowledged[message] === 1 && subscribedAt < this.#sentTime(message);
  }

  #count(client: number, message: number, sign: 1 | -1): void {
    this.#counts.expected += sign;
    if (!this.#arrivals(client)[message]) this.#missing += sign;
  }

  #noteOrder(client: number, message: number): void {
    const publisher = message % this.#plan.clients;
    const newest = this.#newest[client];
    if (!newest) return;
    if (message < (newest[publisher] ?? -1)) this.#counts.outOfOrder++;
    else newest[publisher] = message;
  }

  #announce(): void {
    if (this.#missing === 0) this.#onComplete?.();
  }

  #topicOf = (message: number): number => (message % this.#plan.clients) % this.#plan.topics;

  #sentTime = (message: number): number => this.#sentAt[message] ?? Number.NaN;

  #arrivals(client: number): Uint8Array {
    const arrivals = this.#hasArrived[client];
    if (!arrivals) throw new Error(`expected a client below ${this.#plan.clients}, got ${client}`);
    return arrivals;
  }
}

/** By nearest rank: each is a time that really occurred. */
export function percentilesOf(times: readonly number[]): Percentiles | undefined {
  if (times.length === 0) return undefined;
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
