import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../infra/local/eventbridge/pattern.ts';

/** What the matching of event patterns means, tried out choice by choice, and what it may cost. */

type Json = Record<string, unknown>;
/** The elements that a value is in: by their array, which one. */
type Place = ReadonlyMap<unknown, number>;

const NAMES = ['a', 'b', 'a.b', 'b.a', 'a-b'];
const ABSENT = { exists: false };

const values = fc.constantFrom<unknown>(1, 2, 'x', null);
const { event } = fc.letrec<{ event: unknown; array: unknown; object: Json }>((tie) => ({
  array: fc.array(tie('event'), { maxLength: 3 }),
  object: fc.dictionary(fc.constantFrom(...NAMES), tie('event'), { maxKeys: 3, noNullPrototype: true }),
  event: fc.oneof({ maxDepth: 5, depthSize: 'large' }, values, tie('object'), tie('array')),
}));
const paths = fc.array(fc.constantFrom('a', 'b', 'a-b'), { minLength: 1, maxLength: 3 });
const conditions = fc.uniqueArray(fc.constantFrom<unknown>(1, 2, null, ABSENT), {
  minLength: 1,
  maxLength: 2,
});
const patterns = fc.uniqueArray(fc.tuple(paths, conditions), {
  minLength: 1,
  maxLength: 4,
  selector: ([path]) => path.join('.'),
});

/** Every value at a path: an array is looked through, and dots in a name are steps of the path. */
function* valuesAt(value: unknown, path: string, place: Place): Generator<[unknown, Place]> {
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) {
      const isScalar = typeof element !== 'object' || element === null;
      yield* valuesAt(element, path, isScalar ? place : new Map([...place, [value, index]]));
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (`${path}.`.startsWith(`.${name}.`)) yield* valuesAt(member, path.slice(name.length + 1), place);
    }
  } else if (path === '') yield [value, place];
}

/** The fields one after the other, in the order of their paths, each in every place that agrees with those before. */
function matchesByTrying(
  fields: readonly (readonly [string, readonly unknown[]])[],
  event: unknown,
): boolean {
  const found = [...fields]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, taken]) => ({ taken, all: [...valuesAt(event, `.${path}`, new Map())] }));
  const from = (index: number, chosen: Place): boolean => {
    const field = found[index];
    if (!field) return true;
    const agreeing = field.all.filter(([, place]) =>
      [...place].every(([array, element]) => (chosen.get(array) ?? element) === element),
    );
    if (agreeing.length === 0) return field.taken.includes(ABSENT) && from(index + 1, chosen);
    return agreeing.some(
      ([value, place]) => field.taken.includes(value) && from(index + 1, new Map([...chosen, ...place])),
    );
  };
  return from(0, new Map());
}

it('finds what there is to find, and nothing else', () => {
  const seen = { true: 0, false: 0 };
  fc.assert(
    fc.property(patterns, event, (fields, value) => {
      const named = fields.map(([path, taken]) => [path.join('.'), taken] as const);
      const expected = matchesByTrying(named, value);
      seen[`${expected}`]++;
      expect(compilePattern(Object.fromEntries(named))(value)).toBe(expected);
    }),
    { numRuns: 3_000 },
  );
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(100);
});

it('looks at fields in the order of their paths, not in that of the pattern', () => {
  const items = [
    { amount: 1, id: 1, zone: 'x' },
    { amount: 2, zone: 'y' },
  ];
  const inOrder = { amount: [2], id: [ABSENT] };
  const outOfOrder = { id: [ABSENT], amount: [2] };
  for (const pattern of [inOrder, outOfOrder])
    expect(compilePattern({ items: pattern })({ items })).toBe(true);
});

describe('the work for an event grows with its size and the number of fields, not with a product of sizes', () => {
  const fields = (...names: string[]): Json => Object.fromEntries(names.map((name) => [name, [1]]));
  const object = (...names: string[]): Json => Object.fromEntries(names.map((name) => [name, 1]));
  const times = <T>(count: number, make: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => make(index));
  const ABC = 'abcdefghijklmn';

  it.each<[string, fields: number, pattern: unknown, event: unknown]>([
    [
      'in arrays within arrays',
      3,
      { l: { m: fields('a', 'b', 'c') } },
      { l: times(200, () => ({ m: times(200, (n) => object(...(['ab', 'ac', 'bc'][n % 3] ?? ''))) })) },
    ],
    [
      'in arrays within arrays, of which no two are alike',
      ABC.length,
      { l: { m: fields(...ABC) } },
      {
        l: times(50, (o) => ({
          m: times(100, (n) =>
            object(...[...ABC].filter((_, bit) => ((100 * o + n) >> bit) & 1), ...(o % 2 ? 'n' : '')),
          ),
        })),
      },
    ],
    [
      'under a long path of names with dots',
      1,
      { [`${'a.'.repeat(1_900)}x`]: [1] },
      { a: times(2_000, () => object('a.b', 'a.a.b')) },
    ],
    [
      'in two arrays under one path',
      3,
      { a: { b: fields('x', 'y', 'z') } },
      {
        a: { b: [...times(30_000, () => object('x')), object('z')] },
        'a.b': [...times(30_000, () => object('y')), object('z')],
      },
    ],
    [
      'in arrays that are nested 900 deep',
      2,
      { a: fields('x', 'y') },
      {
        a: times(900, () => 0).reduce<unknown[]>(
          (inner) => [inner, object('x'), object('y')],
          times(40_000, (n) => object(n % 2 ? 'x' : 'y')),
        ),
      },
    ],
    [
      'in whose elements fields are absent',
      62,
      { a: { ...Object.fromEntries(times(60, (n) => [`f${n}`, [ABSENT]])), ...fields('y', 'z') } },
      { a: times(50_000, (n) => object(n % 2 ? 'y' : 'z')) },
    ],
    [
      'in many arrays, of each of which two elements will do',
      42,
      {
        ...Object.fromEntries(times(20, (n) => [`a${n}`, { v: [1], w: [1, ABSENT] }])),
        b: fields('x', 'y'),
      },
      {
        ...Object.fromEntries(times(20, (n) => [`a${n}`, [object('v'), object('v', 'w')]])),
        b: [object('x'), object('y')],
      },
    ],
    [
      'for each of a thousand alternatives',
      60,
      Object.fromEntries(
        [...'abc'].map((name) => [name, { $or: times(10, (n) => ({ x: [n + 1], y: [n] })) }]),
      ),
      Object.fromEntries([...'abc'].map((name) => [name, times(20_000, (n) => ({ x: n % 10, y: n % 10 }))])),
    ],
  ])('%s', (_, fieldCount, pattern, large) => {
    let looksLeft = JSON.stringify(large).length * fieldCount;
    const look = (): void => {
      if (--looksLeft < 0) throw new Error('expected fewer looks');
    };
    expect(compilePattern(pattern, look)(large)).toBe(false);
  });
});
