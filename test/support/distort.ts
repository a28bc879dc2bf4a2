import type { Dice } from '../simulation/dice.ts';

/** What nobody expects, in place of anything. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, 1e300, 7, '', ' ', 'x', '*', '/', '/*', 'a/*', '*/a', '//', 'null'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '\ud800',
    '\u0000',
    'é',
    '{sub}',
    '~2F',
    '%2F',
    'x'.repeat(300),
  ],
  ...[[], {}, [[]], [null], ['x', 1], { toString: 1 }, { length: 1, 0: 'x' }, { a: { a: { a: {} } } }],
];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'x',
  '',
  'id',
  'action',
  'topic',
  'data',
  'token',
  '*',
];

type Holder = Record<string, unknown>;

/** Every object and list in a value, itself included. */
function holdersIn(value: unknown): Holder[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Holder, ...Object.values(value).flatMap(holdersIn)];
}

/** The value with one thing in it that is another, missing, or too many. */
export function distort<T>(value: T, dice: Dice): T {
  const distorted = structuredClone(value);
  const holder = dice.pick(holdersIn(distorted));
  const names = Object.keys(holder);
  if (names.length === 0 || dice.chance(0.15)) {
    // Not by assignment, which would take `__proto__` for something else.
    Object.defineProperty(holder, dice.pick(NAMES), {
      ...{ value: oddValue(dice), enumerable: true, writable: true, configurable: true },
    });
    return distorted;
  }
  const name = dice.pick(names);
  const before = holder[name];
  if (dice.chance(0.15)) delete holder[name];
  else
    holder[name] = typeof before === 'string' && dice.chance(0.6) ? misspell(before, dice) : oddValue(dice);
  return distorted;
}

export const oddValue = (dice: Dice): unknown => structuredClone(dice.pick(ODD));

const CHARACTERS = 'ABCDQXYZabcdqxyz01289-_.=+/ ,~*{}"\n\u00e9';

/** The text with one or a few characters that are others, missing, or too many; or with its end cut off. */
export function misspell(text: string, dice: Dice): string {
  if (dice.chance(0.1)) return text.slice(0, dice.integer(0, text.length));
  let misspelt = text;
  for (let n = dice.pick([1, 1, 1, 2, 4]); n > 0; n--) {
    const at = dice.integer(0, misspelt.length);
    const character = dice.chance(0.2) ? '' : dice.pick([...CHARACTERS]);
    misspelt = misspelt.slice(0, at) + character + misspelt.slice(at + dice.integer(0, 1));
  }
  return misspelt;
}
