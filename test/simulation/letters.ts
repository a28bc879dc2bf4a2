import { SKEW_MS } from './audience.ts';
import { pairOf, pairsIn } from './messages.ts';
import type { DeadLetter } from './queue.ts';
import type { SystemSettings } from './settings.ts';
import type { World } from './world.ts';

/** The reason of a dead letter that comes of posts; others come of what could not be asked for before. */
const OF_POSTS = /HTTP \d|no answer within/;
const OF_THROTTLES = /HTTP 429/;
/** How long a connection answers nothing but 429 before that is a dead letter; see `shared/delivery/leftovers.ts`. */
const THROTTLED_MS = 15 * 60_000;

/** Whether dead letters are right to be there: those of posts only after as many as there may be, or after so long. */
export class Letters {
  readonly #world: World;
  readonly #attemptsMax: number;
  /** How many posts of a message to a connection have failed. */
  readonly #failures = new Map<string, number>();
  /** By connection: how many had no answer at all. Whatever else waits for it in a slow job fails with them. */
  readonly #unanswered = new Map<string, number>();
  /** When a connection answered with 429 for the first time. */
  readonly #throttledAtMs = new Map<string, number>();
  readonly #bodies = new Set<string>();
  /** Connections and messages in dead letters. */
  readonly pairs = new Set<string>();

  constructor(world: World, { attemptsMax, requestsPerSecondMax }: SystemSettings) {
    const { likely } = world.faults;
    const mayFail = likely.requestThrottled !== undefined || likely.requestUnanswered !== undefined;
    const isPaced = requestsPerSecondMax !== undefined || world.mode === 'upgrade';
    this.#world = world;
    // Whoever could not ask for a turn has had an attempt without a post.
    this.#attemptsMax = isPaced && mayFail ? 1 : attemptsMax;
  }

  /** Whether what a record had is a dead letter as a whole. */
  has(body: string): boolean {
    return this.#bodies.has(body);
  }

  /** A post of these to the connection was no success; that it is slow, or throttled, is no failure. */
  failed(connectionId: string, pairs: readonly string[], outcome: string): void {
    if (outcome === 'slow') return;
    if (outcome === 'throttled') {
      const { nowMs } = this.#world.scheduler;
      this.#throttledAtMs.set(connectionId, this.#throttledAtMs.get(connectionId) ?? nowMs);
      if (!this.#isOldAround) return;
    }
    if (outcome === 'unanswered') increment(this.#unanswered, connectionId);
    else for (const pair of pairs) increment(this.#failures, pair);
  }

  add({ body, reason }: DeadLetter): void {
    this.#bodies.add(body);
    const pairs = pairsIn(body).map(({ connectionId, key }) => ({
      connectionId,
      pair: pairOf(connectionId, key),
    }));
    for (const { pair } of pairs) this.pairs.add(pair);
    if (!OF_POSTS.test(reason)) return;
    // What comes after the one that fails is not posted at all.
    for (const [connectionId, all] of Map.groupBy(pairs, (each) => each.connectionId)) {
      const what = `${all.map(({ pair }) => pair).join()} became a dead letter of ${connectionId}`;
      if (OF_THROTTLES.test(reason) && !this.#isOldAround) {
        const throttledMs = this.#throttledMs(connectionId);
        if (throttledMs >= THROTTLED_MS - SKEW_MS) continue;
        this.#world.violate(`${what} after ${throttledMs} ms (${reason})`);
      }
      const unanswered = this.#unanswered.get(connectionId) ?? 0;
      const failures = unanswered + Math.max(...all.map(({ pair }) => this.#failures.get(pair) ?? 0));
      if (failures >= this.#attemptsMax) continue;
      this.#world.violate(`${what} after ${failures} of ${this.#attemptsMax} attempts (${reason})`);
    }
  }

  /** Older code has a 429 use up an attempt. */
  get #isOldAround(): boolean {
    return this.#world.mode === 'upgrade';
  }

  #throttledMs(connectionId: string): number {
    const { nowMs } = this.#world.scheduler;
    return nowMs - (this.#throttledAtMs.get(connectionId) ?? nowMs);
  }
}

const increment = (counts: Map<string, number>, key: string): void =>
  void counts.set(key, (counts.get(key) ?? 0) + 1);
