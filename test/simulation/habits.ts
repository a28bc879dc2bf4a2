import type { Dice } from './dice.ts';
import type { Mode } from './modes.ts';

/** What somebody who is there does next, and how likely that is. */
const ACTIONS = {
  subscribe: 0.12,
  unsubscribe: 0.08,
  save: 0.15,
  stop: 0.05,
  send: 0.05,
  readHistory: 0.05,
  askWhoAmI: 0.02,
  subscribeForbidden: 0.01,
  subscribeAnyway: 0.02,
  resume: 0.05,
};
/** Who publishes, and what: the rest is one message of a client, or of a back end where no client may or is. */
const PUBLISHES = { putMany: 0.06, putApart: 0.02, put: 0.28 };
/** How likely what is asked for with a message. */
const OPTIONS = { key: 0.3, maxAge: 0.1, except: 0.15, version: 0.2, stored: 0.2 };
/** In a swarm something is that much more or less likely. */
const SWARM_FACTORS = [0.2, 5] as const;

type Likely<T> = Readonly<Record<keyof T, number>>;

/** What people in a world are like. */
export interface Habits {
  readonly actions: Likely<typeof ACTIONS>;
  readonly publishes: Likely<typeof PUBLISHES>;
  readonly options: Likely<typeof OPTIONS>;
}

export function rollHabits(dice: Dice, mode: Mode): Habits {
  if (mode === 'usual' || mode === 'upgrade') {
    return { actions: ACTIONS, publishes: PUBLISHES, options: OPTIONS };
  }
  const rolled = <T extends Likely<T>>(usual: T): Likely<T> => {
    const entries = Object.entries<number>(usual).map(([name, likely]) => [
      name,
      dice.chance(0.5) ? Math.min(1, likely * dice.scale(...SWARM_FACTORS)) : 0,
    ]);
    return Object.fromEntries(entries) as Likely<T>; // of the same names
  };
  return { actions: rolled(ACTIONS), publishes: rolled(PUBLISHES), options: rolled(OPTIONS) };
}
