import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Context, type Parser, remember } from '../../../infra/local/dynamodb/expressions.ts';

const require = createRequire(import.meta.url);

const EXPRESSIONS = {
  condition: [
    'pk = :a',
    'expiresAt > :a',
    '#n = :a AND #m >= :b',
    'attribute_not_exists(#n) OR expiresAt <= :a',
    'a BETWEEN :a AND :b',
    'NOT a IN (:a, :b) AND begins_with(#n, :a)',
    'size(a) > :a',
    'size(:a) > :b',
    'attribute_type(a, :a)',
    'contains(a, :a) AND ((b = :b))',
    'constructor.toString[3] = :a',
    'a = ',
    'unknown(a)',
    'a = a',
    '',
  ],
  update: [
    'SET a = :a',
    'SET a = a + :a, #n = if_not_exists(#n, :b)',
    'SET l = list_append(l, :a) REMOVE m[2].x',
    'ADD a :a DELETE b :b',
    'SET a = :a, a.b = :b',
    'SET reserved = :a SET b = :a',
  ],
  projection: ['a', 'a, #n.b[1], #m', '#n, #n', 'constructor'],
};

const value = fc.oneof(
  fc.integer().map((n) => ({ N: String(n) })),
  fc.constantFrom('S', 'B', 'x', '').map((text) => ({ S: text })),
  fc.constantFrom({ L: [] }, { L: [{ N: '1' }] }, { SS: ['a'] }, { BOOL: true }, { NULL: true }, { M: {} }),
);
const requests = fc.array(
  fc.record({
    which: fc.nat(),
    attrNames: fc.constantFrom(undefined, { '#n': 'n' }, { '#n': 'n', '#m': 'm' }, { '#n': 'x', '#m': 'n' }),
    attrVals: fc.option(fc.record({ ':a': value, ':b': value }, { requiredKeys: [] }), { nil: undefined }),
    /** An expression before it has used this one. */
    used: fc.constantFrom(undefined, ':a', '#n'),
  }),
  { maxLength: 20 },
);

type Request = typeof requests extends fc.Arbitrary<readonly (infer R)[]> ? R : never;

function outcome(parser: Parser, expression: string, { attrNames, attrVals, used }: Request): unknown {
  const unusedAttrNames: Record<string, unknown> = { ...attrNames };
  const unusedAttrVals: Record<string, unknown> = { ...attrVals };
  if (used) {
    delete unusedAttrNames[used];
    delete unusedAttrVals[used];
  }
  const context = {
    ...{ attrNames, attrVals, unusedAttrNames, unusedAttrVals },
    isReserved: (name: string) => name === 'reserved',
    compare: require('dynalite/db').compare,
  } satisfies Context & Record<string, unknown>;
  try {
    const tree = parser.parse(expression, { context });
    return typeof tree === 'string' ? tree : { tree, unusedAttrNames, unusedAttrVals };
  } catch (error) {
    return String(error);
  }
}

it.each(Object.entries(EXPRESSIONS))('a remembered %s is as dynalite parses it', (name, expressions) => {
  const dynalites: Parser = require(`dynalite/db/${name}Parser`);
  const remembering: Parser = { parse: dynalites.parse };
  remember(remembering);
  fc.assert(
    fc.property(requests, (requests) => {
      for (const request of requests) {
        const expression = expressions[request.which % expressions.length] ?? '';
        expect(outcome(remembering, expression, request)).toStrictEqual(
          outcome(dynalites, expression, request),
        );
      }
    }),
    { numRuns: 500 },
  );
});

it('is a tree of its own, with the values of its own request', () => {
  let parsed = 0;
  const { parse } = require('dynalite/db/conditionParser') as Parser;
  const parser: Parser = {
    parse: (...args) => {
      parsed += 1;
      return parse(...args);
    },
  };
  remember(parser);
  const trees = ['1', '2', '3'].map((n) => {
    const value = { N: n };
    const context = {
      attrVals: { ':a': value },
      unusedAttrNames: {},
      unusedAttrVals: {},
      isReserved: () => false,
    };
    const tree = parser.parse('size(a) > :a', { context }) as { expression: { args: unknown[] } };
    expect(tree.expression.args[1]).toBe(value);
    tree.expression.args.pop();
    return tree;
  });
  expect(new Set(trees).size).toBe(3);
  expect(parsed).toBe(1);
});
