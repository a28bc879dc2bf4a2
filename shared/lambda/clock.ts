import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

/** Everything that is time or chance. It is passed in, so that a simulation can decide it. */
export interface Clock {
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<void>;
  /** At least 0 and less than 1. */
  readonly random: () => number;
  /** Never the same twice. */
  readonly newId: () => string;
}

/** The time and chance of the machine. */
export const systemClock: Clock = {
  now: Date.now,
  wait: (ms) => wait(ms),
  random: Math.random,
  newId: randomUUID,
};
