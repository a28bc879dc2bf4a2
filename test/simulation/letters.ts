import { pairOf, pairsIn } from './messages.ts';
import type { DeadLetter } from './queue.ts';
import type { SystemSettings } from './settings.ts';
import type { World } from './world.ts';

/** The reason of a dead letter that comes of posts; others come of what could not be asked for before. */
const OF_POSTS = /HTTP \d|no answer within/;

/** Whether dead letters are right to be there: those of posts only after as many as there may be. */
export class Letters {
  readonly #world: World;
  readonly #attemptsMax: number;
  /** How many posts of a message to a connection were no success. */
  readonly #failures = new Map<string, number>();
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

  failed(pair: string): void {
    this.#failures.set(pair, (this.#failures.get(pair) ?? 0) + 1);
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
      const failures = Math.max(...all.map(({ pair }) => this.#failures.get(pair) ?? 0));
      if (failures >= this.#attemptsMax) continue;
      const what = `${all.map(({ pair }) => pair).join()} became a dead letter of ${connectionId}`;
      this.#world.violate(`${what} after ${failures} of ${this.#attemptsMax} attempts (${reason})`);
    }
  }
}
