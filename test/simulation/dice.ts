import { createRandom } from '../../infra/local/faults/random.ts';

/** All chance of one simulated world: the same seed gives the same throws. */
export class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = createRandom(seed);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Both ends included. */
  integer(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.next());
  }

  /** Spread over orders of magnitude: as often near the low end as near the high one. */
  scale(low: number, high: number): number {
    return low * (high / low) ** this.next();
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('expected something to pick from, got nothing');
    return items[this.integer(0, items.length - 1)] as T; // it has so many
  }

  /** One of them, each as likely as it says; none, if they do not add up to 1. */
  weighted<K extends string>(likely: Readonly<Record<K, number>>): K | undefined {
    const entries = Object.entries(likely) as [K, number][]; // they are its own
    const sum = entries.reduce((all, [, each]) => all + each, 0);
    let roll = this.next() * Math.max(1, sum);
    for (const [name, each] of entries) {
      roll -= each;
      if (roll < 0) return name;
    }
    return undefined;
  }

  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, place: this.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }

  /** A stream of its own: what is thrown there changes nothing here. */
  fork(): Dice {
    return new Dice(Math.floor(2 ** 32 * this.next()));
  }

  /** Ids as API Gateway's are: 11 bytes in base64url. */
  id(): string {
    let id = '';
    while (id.length < ID_LENGTH) id += ID_CHARACTERS[this.integer(0, ID_CHARACTERS.length - 1)];
    return `${id}=`;
  }

  /** Keys as the client SDK makes them: 16 bytes in hex. */
  key(): string {
    let key = '';
    while (key.length < KEY_LENGTH) key += this.integer(0, 15).toString(16);
    return key;
  }
}

const KEY_LENGTH = 32;
const ID_LENGTH = 15;
const ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
