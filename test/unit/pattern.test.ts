import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../infra/local/eventbridge/pattern.ts';

const matches = (pattern: unknown, event: unknown): boolean => compilePattern(pattern)(event);
/** A pattern with `condition` for the field `x` of the detail, against an event that has `value` there. */
const matchesValue = (condition: unknown, value: unknown): boolean =>
  matches(
    { detail: { x: [condition] } },
    { source: 'shop', detail: value === undefined ? {} : { x: value } },
  );
const reasonOf = (pattern: unknown): string => {
  try {
    compilePattern(pattern);
  } catch (error) {
    return (error as Error).message;
  }
  return 'valid';
};

describe('event patterns', () => {
  it('match when every key matches, whatever else the event has', () => {
    const pattern = { source: ['shop'], detail: { state: ['paid'], size: [1] } };
    expect(matches(pattern, { source: 'shop', detail: { state: 'paid', size: 1, more: true } })).toBe(true);
    expect(matches(pattern, { source: 'shop', detail: { state: 'open', size: 1 } })).toBe(false);
    expect(matches(pattern, { source: 'shop', detail: { state: 'paid' } })).toBe(false);
    expect(matches(pattern, { detail: { state: 'paid', size: 1 } })).toBe(false);
  });

  it('match when one value of a key matches', () => {
    expect(matches({ source: ['shop', { prefix: 'acme.' }] }, { source: 'shop' })).toBe(true);
    expect(matches({ source: ['shop', { prefix: 'acme.' }] }, { source: 'acme.bank' })).toBe(true);
    expect(matches({ source: ['shop', { prefix: 'acme.' }] }, { source: 'bank' })).toBe(false);
  });

  it.each([
    ['a', 'a', true],
    ['a', 'A', false],
    ['', '', true],
    ['', 'a', false],
    [300, 300, true],
    [300, '300', false],
    [true, true, true],
    [true, 'true', false],
    [null, null, true],
    [null, 'null', false],
    [null, undefined, false],
  ])('compare values with their type: %j with %j', (condition, value, expected) => {
    expect(matchesValue(condition, value)).toBe(expected);
  });

  it('match an array that has one of the values', () => {
    expect(matches({ resources: ['b', 'c'] }, { resources: ['a', 'b'] })).toBe(true);
    expect(matches({ resources: ['b', 'c'] }, { resources: ['a', 'd'] })).toBe(false);
    expect(matches({ resources: [null] }, { resources: [] })).toBe(false);
    expect(matches({ resources: ['b'] }, { resources: [['a'], ['b']] })).toBe(true);
  });

  it('match an array of objects by one of them as a whole', () => {
    const people = [
      { first: 'Ada', last: 'Lovelace' },
      { first: 'Alan', last: 'Turing' },
    ];
    expect(matches({ people: { first: ['Alan'], last: ['Turing'] } }, { people })).toBe(true);
    expect(matches({ people: { first: ['Ada'], last: ['Turing'] } }, { people })).toBe(false);
  });

  it('take a dot within a name for one between names, in the pattern and in the event', () => {
    const nested = { shop: { order: { state: 'paid' } } };
    expect(matches({ 'shop.order': { state: ['paid'] } }, nested)).toBe(true);
    expect(matches({ shop: { 'order.state': ['paid'] } }, nested)).toBe(true);
    expect(matches({ shop: { order: { state: ['paid'] } } }, { 'shop.order': { state: 'paid' } })).toBe(true);
    expect(matches({ shop: { order: { state: ['paid'] } } }, { shop: { 'order.state': 'paid' } })).toBe(true);
    expect(matches({ shop: { 'order.state': { state: ['paid'] } } }, nested)).toBe(false);
    expect(matches({ shop: ['paid'] }, nested)).toBe(false);
    expect(matches({ '': ['a'] }, { '': 'a' })).toBe(true);
  });

  it('take the later of two fields with one path', () => {
    expect(matches({ a: { b: [1] }, 'a.b': [2] }, { a: { b: 2 } })).toBe(true);
    expect(matches({ a: { b: [1] }, 'a.b': [2] }, { a: { b: 1 } })).toBe(false);
  });

  it('do not find keys that an object only inherits', () => {
    expect(matches({ constructor: [{ exists: true }] }, {})).toBe(false);
    expect(matches({ detail: { toString: [{ exists: false }] } }, { detail: {} })).toBe(true);
  });
});

describe('exists: false within arrays of objects', () => {
  const absent = [{ exists: false }];

  it('matches if no element has the field', () => {
    expect(matches({ items: { id: absent } }, { items: [{ name: 'a' }, { name: 'b' }] })).toBe(true);
    expect(matches({ items: { id: absent } }, { items: [{ name: 'a' }, { id: 1 }] })).toBe(false);
    expect(matches({ items: { id: absent } }, { items: [] })).toBe(true);
    expect(matches({ items: { id: absent } }, { items: [[{ id: 1 }]] })).toBe(false);
    expect(matches({ items: { id: absent } }, { items: [{ id: {} }, { id: [] }, { id: [{}] }] })).toBe(true);
  });

  it('looks at the element in which the fields before it, by name, were found', () => {
    const items = [
      { amount: 1, id: 1, zone: 'x' },
      { amount: 2, zone: 'y' },
    ];
    expect(matches({ items: { amount: [2], id: absent } }, { items })).toBe(true);
    expect(matches({ items: { amount: [1], id: absent } }, { items })).toBe(false);
    expect(matches({ items: { id: absent, zone: ['y'] } }, { items })).toBe(false);
    expect(matches({ items: { amount: [{ exists: true }], id: absent } }, { items })).toBe(true);
  });

  it('is one of several conditions', () => {
    const pattern = { items: { id: [{ exists: false }, 7] } };
    expect(matches(pattern, { items: [{ id: 1 }, { id: 7 }] })).toBe(true);
    expect(matches(pattern, { items: [{ id: 1 }] })).toBe(false);
    expect(matches(pattern, { items: [{ name: 'a' }] })).toBe(true);
  });
});

describe('arrays within arrays', () => {
  const event = {
    orders: [
      {
        lines: [
          { sku: 'a', count: 1 },
          { sku: 'b', count: 2 },
        ],
        tags: ['new', 'gift'],
      },
      { lines: [{ sku: 'c', count: 1 }], tags: ['old'] },
    ],
  };
  it.each([
    [{ lines: { sku: ['a'], count: [1] } }, true],
    [{ lines: { sku: ['a'], count: [2] } }, false],
    [{ lines: { sku: ['b'] }, tags: ['gift'] }, true],
    [{ lines: { sku: ['c'] }, tags: ['gift'] }, false],
    [{ lines: { count: [1] }, tags: ['old'] }, true],
    [{ tags: [{ prefix: 'o' }], lines: { sku: [{ 'anything-but': 'a' }] } }, true],
  ])('are matched in one element of each: %j', (orders, expected) => {
    expect(matches({ orders }, event)).toBe(expected);
  });

  it('may be as large as an event is', () => {
    const many = Array.from({ length: 20_000 }, (_, n) => ({ left: n, right: n + 1, lines: [{ n }] }));
    // Each condition is met by some element; those of `b` by no element together.
    const pattern = {
      a: { left: [{ exists: true }], right: [{ exists: true }] },
      b: { left: [{ 'anything-but': 8 }], right: [9] },
    };
    expect(matches(pattern, { a: many, b: many })).toBe(false);
    const found = { items: { left: [{ 'anything-but': 7 }], lines: { n: [19_999] }, right: [20_000] } };
    expect(matches(found, { items: many })).toBe(true);
  });
});

describe('operators', () => {
  it.each([
    [{ prefix: 'ab' }, 'abc', true],
    [{ prefix: 'ab' }, 'cab', false],
    [{ prefix: 'ab' }, 12, false],
    [{ prefix: { 'equals-ignore-case': 'AB' } }, 'abc', true],
    [{ suffix: '.png' }, 'a.png', true],
    [{ suffix: '.png' }, 'a.PNG', false],
    [{ suffix: { 'equals-ignore-case': '.png' } }, 'a.PNG', true],
    [{ 'equals-ignore-case': 'Alice' }, 'aLICE', true],
    [{ 'equals-ignore-case': 'Alice' }, 'alice2', false],
    [{ 'equals-ignore-case': '' }, '', true],
    [{ 'equals-ignore-case': 'straße' }, 'STRASSE', true],
    [{ 'equals-ignore-case': 'STRASSE' }, 'straße', false],
    [{ 'equals-ignore-case': 'a.c' }, 'ABC', false],
    [{ 'equals-ignore-case': '👋 Hé' }, '👋 hÉ', true],
    [{ prefix: { 'equals-ignore-case': '[A' } }, '[ab', true],
    [{ suffix: { 'equals-ignore-case': '(a' } }, 'x(A', true],
    [{ suffix: { 'equals-ignore-case': 'a' } }, 'ab', false],
    [{ suffix: { 'equals-ignore-case': '' } }, 'ab', true],
    [{ suffix: { 'equals-ignore-case': 'ß' } }, `${'x'.repeat(1_000)}SS`, true],
    [{ suffix: { 'equals-ignore-case': `b${'A'.repeat(2_000)}` } }, 'a'.repeat(1_000_000), false],
    [{ prefix: '' }, 'anything', true],
    [{ suffix: '' }, 'anything', true],
    [{ prefix: '' }, 5, false],
    [{ exists: true }, 'a', true],
    [{ exists: true }, null, true],
    [{ exists: true }, undefined, false],
    [{ exists: true }, { inner: 1 }, false],
    [{ exists: true }, [], false],
    [{ exists: false }, undefined, true],
    [{ exists: false }, null, false],
    [{ numeric: ['=', 5] }, 5, true],
    [{ numeric: ['=', 301.8] }, 3.018e2, true],
    [{ numeric: ['>', 0, '<=', 5] }, 5, true],
    [{ numeric: ['>', 0, '<=', 5] }, 0, false],
    [{ numeric: ['>=', 0, '<', 5] }, 0, true],
    [{ numeric: ['<', 10] }, 10, false],
    [{ numeric: ['>', 100] }, '300', false],
    [{ numeric: ['>', 100] }, null, false],
    [{ numeric: ['=', 0] }, -0, true],
    [{ numeric: ['<', 0] }, -0, false],
    [{ numeric: ['=', 0.000001] }, 1e-6, true],
    [{ numeric: ['<=', 5_000_000_000] }, 5e9, true],
    [{ numeric: ['>', 100] }, 5_000_000_001, false],
    [{ numeric: ['>', 100] }, JSON.parse('1e400'), false],
    [{ numeric: ['<', 100] }, JSON.parse('-1e400'), false],
    [{ numeric: ['=', 1] }, true, false],
    [{ cidr: '10.0.0.0/24' }, '10.0.0.255', true],
    [{ cidr: '10.0.0.0/24' }, '10.0.1.0', false],
    [{ cidr: '10.0.0.0/24' }, 'not an address', false],
    [{ cidr: '0.0.0.0/0' }, '::1', false],
    [{ cidr: '::/0' }, '10.0.0.1', false],
    [{ cidr: '10.0.0.77/24' }, '10.0.0.1', true],
    [{ cidr: '::/0' }, 'fe80::1%eth0', false],
    [{ cidr: '::/0' }, '::ffff:10.0.0.1', false],
    [{ cidr: '10.0.0.0/24' }, '10.0.0.0/24', false],
    [{ cidr: '10.0.0.0/24' }, 167772160, false],
    [{ cidr: '2001:db8:1234:1a00::/56' }, '2001:db8:1234:1aff::1', true],
    [{ cidr: '2001:db8:1234:1a00::/56' }, '2001:db8:1234:1b00::1', false],
  ])('%j on %j', (condition, value, expected) => {
    expect(matchesValue(condition, value)).toBe(expected);
  });

  it.each([
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*c', 'abcd', false],
    ['*:event-bus/*', 'arn:aws:events:event-bus/x', true],
    ['*', '', true],
    ['*a', 'a', true],
    ['a*a', 'a', false],
    ['*ab*ab*', 'ab', false],
    ['a*b*b', 'ab', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\\\*', 'a\\b', true],
    ['a\\\\*', 'ab', false],
    ['', '', true],
  ])('wildcard %j on %j', (wildcard, value, expected) => {
    expect(matchesValue({ wildcard }, value)).toBe(expected);
  });

  it.each([
    ['stopped', 'running', true],
    ['stopped', 'stopped', false],
    ['stopped', null, true],
    ['stopped', 5, true],
    ['stopped', undefined, false],
    [['stopped', 'running'], 'running', false],
    [0, 789, true],
    [[100, 200], 100, false],
    [{ prefix: 'init' }, 'initializing', false],
    [{ prefix: ['init', 'term'] }, 'terminated', false],
    [{ prefix: 'init' }, 'running', true],
    [{ suffix: ['.txt', '.jpg'] }, 'a.jpg', false],
    [{ suffix: '.txt' }, null, true],
    [{ 'equals-ignore-case': ['Stopped', 'x'] }, 'sTOPPED', false],
    [{ 'equals-ignore-case': 'stopped' }, 'running', true],
    [{ wildcard: ['*/init/*', '*/lib/*'] }, 'usr/lib/x', false],
    [{ wildcard: '*/lib/*' }, 'usr/bin/x', true],
    [{ wildcard: 'a\\*' }, 'a*', false],
    [{ wildcard: 'a\\*' }, 'ab', true],
    [{ prefix: 'a' }, 7, true],
    [0, '0', true],
    [1e3, 1000, false],
    ['', '', false],
  ])('anything-but %j on %j', (refused, value, expected) => {
    expect(matchesValue({ 'anything-but': refused }, value)).toBe(expected);
  });

  it('look at each value of an array by itself', () => {
    expect(matchesValue({ 'anything-but': 'a' }, ['a', 'b'])).toBe(true);
    expect(matchesValue({ 'anything-but': 'a' }, ['a'])).toBe(false);
    expect(matchesValue({ numeric: ['>', 5] }, [1, 9])).toBe(true);
  });
});

describe('$or', () => {
  it('matches when one of its alternatives does, beside the other keys', () => {
    const pattern = {
      source: ['shop'],
      detail: { $or: [{ count: [{ numeric: ['>', 5] }] }, { state: ['urgent'], open: [true] }] },
    };
    expect(matches(pattern, { source: 'shop', detail: { count: 6 } })).toBe(true);
    expect(matches(pattern, { source: 'shop', detail: { count: 1, state: 'urgent', open: true } })).toBe(
      true,
    );
    expect(matches(pattern, { source: 'shop', detail: { count: 1, state: 'urgent', open: false } })).toBe(
      false,
    );
    expect(matches(pattern, { source: 'bank', detail: { count: 6 } })).toBe(false);
  });

  it('has alternatives of its own within it, and within the fields of it', () => {
    const pattern = {
      $or: [
        { state: ['new'], $or: [{ size: [1] }, { size: [2], color: ['red'] }] },
        { order: { $or: [{ id: [7] }, { tags: ['gift'] }] } },
      ],
    };
    expect(matches(pattern, { state: 'new', size: 1 })).toBe(true);
    expect(matches(pattern, { state: 'new', size: 2, color: 'blue' })).toBe(false);
    expect(matches(pattern, { state: 'old', order: { id: 8, tags: ['gift'] } })).toBe(true);
    expect(matches(pattern, { state: 'old', size: 1, order: { id: 8 } })).toBe(false);
  });

  it('has its say about a field that is beside it, too: what stands later in the pattern counts', () => {
    const inside = { $or: [{ size: [1] }, { state: ['new'] }] };
    expect(matches({ size: [2], ...inside }, { size: 1 })).toBe(true);
    expect(matches({ ...inside, size: [2] }, { size: 1 })).toBe(false);
    expect(matches({ ...inside, size: [2] }, { size: 2, state: 'new' })).toBe(true);
  });

  it('matches all fields of an alternative in one element of an array', () => {
    const items = {
      $or: [
        { id: [1], name: ['b'] },
        { id: [2], name: ['b'] },
      ],
    };
    expect(
      matches(
        { items },
        {
          items: [
            { id: 1, name: 'a' },
            { id: 2, name: 'b' },
          ],
        },
      ),
    ).toBe(true);
    expect(
      matches(
        { items },
        {
          items: [
            { id: 1, name: 'a' },
            { id: 3, name: 'b' },
          ],
        },
      ),
    ).toBe(false);
  });

  it('is a field like any other where it is no list of alternatives', () => {
    expect(matches({ $or: ['a', 'b'] }, { $or: 'b' })).toBe(true);
    expect(matches({ $or: { state: ['a'] } }, { $or: { state: 'a' } })).toBe(true);
    expect(matches({ $or: [{ prefix: 'a' }, { prefix: 'b' }] }, { $or: 'bc' })).toBe(true);
  });

  it('may span a thousand combinations and no more', () => {
    const ten = (key: string) => ({ [key]: { $or: Array.from({ length: 10 }, (_, x) => ({ x: [x] })) } });
    expect(reasonOf({ ...ten('a'), ...ten('b'), ...ten('c') })).toBe('valid');
    expect(reasonOf({ ...ten('a'), ...ten('b'), ...ten('c'), $or: [{ d: [1] }, { d: [2] }] })).toContain(
      'expected at most 1000 combinations of $or, got more',
    );
  });
});

describe('a bad pattern is refused with AWS’s reason', () => {
  it.each([
    ['text', 'Filter is not an object'],
    [{}, 'Empty objects are not allowed'],
    [{ detail: {} }, 'Empty objects are not allowed'],
    [{ source: [] }, 'Empty arrays are not allowed'],
    [{ source: 'shop' }, '"source" must be an object or an array'],
    [{ source: [['shop']] }, 'Match value must be String, number, true, false, or null'],
    [{ source: [{}] }, 'Match expression name not found'],
    [{ source: [{ PREFIX: 'a' }] }, 'Unrecognized match type PREFIX'],
    [{ source: [{ toString: 'a' }] }, 'Unrecognized match type toString'],
    [{ source: [{ prefix: 'a', suffix: 'b' }] }, 'Only one key allowed in match expression'],
    [{ source: [{ prefix: 1 }] }, 'prefix match pattern must be a string'],
    [{ source: [{ suffix: ['a'] }] }, 'suffix match pattern must be a string'],
    [{ source: [{ suffix: {} }] }, 'Suffix expression name not found'],
    [{ source: [{ prefix: { suffix: 'a' } }] }, 'Unsupported prefix pattern: suffix'],
    [
      { source: [{ prefix: { 'equals-ignore-case': 1 } }] },
      'equals-ignore-case match pattern must be a string',
    ],
    [{ source: [{ 'equals-ignore-case': ['a'] }] }, 'equals-ignore-case match pattern must be a string'],
    [{ source: [{ exists: 'yes' }] }, 'exists match pattern must be either true or false.'],
    [{ source: [{ exists: null }] }, 'exists match pattern must be either true or false.'],
    [{ source: [{ wildcard: 'a**' }] }, 'Consecutive wildcard characters at pos 2'],
    [{ source: [{ wildcard: 'é**' }] }, 'Consecutive wildcard characters at pos 3'],
    [{ source: [{ wildcard: 'a\\b' }] }, 'Invalid escape character at pos 2'],
    [{ source: [{ wildcard: 'a*\\' }] }, 'Invalid escape character at pos 3'],
    [{ source: [{ wildcard: 5 }] }, 'wildcard match pattern must be a string'],
    [{ size: [{ numeric: 10 }] }, 'Value of numeric must be an array.'],
    [{ size: [{ numeric: [] }] }, 'Invalid member in numeric match: ]'],
    [{ size: [{ numeric: [5] }] }, 'Invalid member in numeric match: 5'],
    [{ size: [{ numeric: ['!=', 5] }] }, 'Unrecognized numeric range operator: !='],
    [{ size: [{ numeric: ['toString', 5] }] }, 'Unrecognized numeric range operator: toString'],
    [{ size: [{ numeric: ['='] }] }, 'Value of equals must be numeric'],
    [{ size: [{ numeric: ['>=', '5'] }] }, 'Value of >= must be numeric'],
    [{ size: [{ numeric: ['=', 5, '<', 6] }] }, 'Too many elements in numeric expression'],
    [{ size: [{ numeric: ['<', 5, '>', 6] }] }, 'Too many elements in numeric expression'],
    [{ size: [{ numeric: ['>', 0, 5] }] }, 'Bad value in numeric range: 5'],
    [{ size: [{ numeric: ['>', 0, '<'] }] }, 'Value of < must be numeric'],
    [{ size: [{ numeric: ['>', 0, '>', 5] }] }, 'Bad numeric range operator: >'],
    [{ size: [{ numeric: ['>', 0, '<', 5, 6] }] }, 'Too many terms in numeric range expression'],
    [{ size: [{ numeric: ['>', 5, '<', 5] }] }, 'Bottom must be less than top'],
    [{ size: [{ numeric: ['>', 5_000_000_001] }] }, 'Value must be between -5000000000 and 5000000000'],
    [{ size: [{ numeric: ['>', 0.1234567] }] }, 'expected a number with up to 6 decimals, got 0.1234567'],
    [{ ip: [{ cidr: ['10.0.0.0/8'] }] }, 'prefix match pattern must be a string'],
    [{ ip: [{ cidr: '10.0.0.0' }] }, "Malformed CIDR, one '/' required"],
    [{ ip: [{ cidr: '10.0.0.0/' }] }, "Malformed CIDR, one '/' required"],
    [{ ip: [{ cidr: '10.0.0.0/8/8' }] }, "Malformed CIDR, one '/' required"],
    [{ ip: [{ cidr: '10.0.0.0/a' }] }, 'Malformed CIDR, mask bits must be an integer'],
    [{ ip: [{ cidr: '10.0.0.0/-1' }] }, 'Malformed CIDR, mask bits must not be negative'],
    [{ ip: [{ cidr: '10.0.0.0/32' }] }, 'IPv4 mask bits must be < 32'],
    [{ ip: [{ cidr: '2001:db8::/128' }] }, 'IPv6 mask bits must be < 128'],
    [{ ip: [{ cidr: '10.0.x.0/8' }] }, 'Nonstandard IP address: 10.0.x.0'],
    [{ ip: [{ cidr: '10.0.0.256/8' }] }, 'Invalid IP address: 10.0.0.256'],
    [{ ip: [{ cidr: 'fe80::1%eth0/8' }] }, 'Nonstandard IP address: fe80::1%eth0'],
    [
      { a: [{ 'anything-but': null }] },
      'Value of anything-but must be an array or single string/number value.',
    ],
    [
      { a: [{ 'anything-but': { prefix: { 'equals-ignore-case': 'a' } } }] },
      'Value of anything-but must be an array or single string/number value.',
    ],
    [
      { a: [{ 'anything-but': ['a', 1] }] },
      'Inside anything but list, either all values are number or string, mixed type is not supported',
    ],
    [{ a: [{ 'anything-but': [] }] }, 'Inside anything but list, either all values are number or string'],
    [
      { a: [{ 'anything-but': ['a', true] }] },
      'Inside anything but list, start|null|boolean is not supported.',
    ],
    [{ a: [{ 'anything-but': [['a']] }] }, 'Inside anything but list, start|null|boolean is not supported.'],
    [{ a: [{ 'anything-but': {} }] }, 'Anything-But expression name not found'],
    [{ a: [{ 'anything-but': { suffix: [] } }] }, 'Empty arrays are not allowed'],
    [{ a: [{ 'anything-but': { prefix: '' } }] }, 'Null prefix/suffix not allowed'],
    [{ a: [{ 'anything-but': { suffix: ['a', ''] } }] }, 'Null prefix/suffix not allowed'],
    [{ a: [{ 'anything-but': { prefix: 5 } }] }, 'prefix/suffix match pattern must be a string'],
    [
      { a: [{ 'anything-but': { 'equals-ignore-case': ['a', 5] } }] },
      'Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.',
    ],
    [{ a: [{ 'anything-but': { wildcard: ['a', null] } }] }, 'wildcard match pattern must be a string'],
    [{ a: [{ 'anything-but': { numeric: ['=', 1] } }] }, 'Unsupported anything-but pattern: numeric'],
    [{ $or: [{ a: [1] }] }, 'There must have at least 2 Objects in $or relationship.'],
    [{ $or: [{ a: [1] }, 5] }, 'Only JSON object is allowed in array of $or relationship.'],
    [{ $or: 5 }, 'It must be an Array followed with $or.'],
    [{ $or: [{ a: [1] }, {}] }, 'Empty objects are not allowed'],
    [
      { $or: [{ a: [1] }, { numeric: [2] }] },
      'numeric is Ruler reserved fieldName which cannot be used inside $or.',
    ],
  ])('%j: %s', (pattern, reason) => {
    expect(reasonOf(pattern)).toContain(`Event pattern is not valid. Reason: ${reason}`);
  });
});

describe('wildcards that are too complex are refused', () => {
  const TOO_COMPLEX =
    'Rule is too complex - try using fewer wildcard characters or fewer repeating character';
  const reasonOfAll = (...wildcards: string[]): string =>
    reasonOf({ source: wildcards.map((wildcard) => ({ wildcard })) });

  it.each([
    ['*a*a*a*', 'valid'],
    ['*a*a*a*a*', TOO_COMPLEX],
    ['*a*b*c*d*e*', 'valid'],
    ['*a*b*c*d*e*f*', TOO_COMPLEX],
    [`x*${'/tmp'.repeat(5)}/`, 'valid'],
    [`x*${'/tmp'.repeat(7)}/`, TOO_COMPLEX],
    ['\\*\\*\\*\\*\\*\\*\\*\\*\\*', 'valid'],
    [`${'abc'.repeat(300)}*`, 'valid'],
    [`*${'abc'.repeat(300)}`, TOO_COMPLEX],
  ])('%j: %s', (wildcard, reason) => {
    expect(reasonOfAll(wildcard)).toContain(reason);
    expect(reasonOf({ a: [{ 'anything-but': { wildcard } }] })).toContain(reason);
  });

  it('all those of one field together', () => {
    expect(reasonOfAll('*.png', '*.gif', '*.jpg')).toBe('valid');
    expect(reasonOfAll('*.png', '*.png', '*.png', '*.png')).toBe('valid');
    expect(reasonOfAll('*.png', '*.gif', '*.jpg', '*.svg')).toContain(TOO_COMPLEX);
    expect(
      reasonOf({ a: [{ wildcard: '*a' }, { wildcard: '*b' }], b: [{ wildcard: '*c' }, { wildcard: '*d' }] }),
    ).toBe('valid');
    const wildcard = ['*.png', '*.gif', '*.jpg', '*.svg'];
    expect(reasonOf({ a: [{ 'anything-but': { wildcard } }] })).toBe('valid');
  });
});

it('a pattern has no more characters than AWS takes', () => {
  expect(reasonOf({ a: ['x'.repeat(4_086)] })).toBe('valid');
  expect(reasonOf({ a: ['x'.repeat(4_087)] })).toContain('expected at most 4096 characters, got 4097');
});

it('a pattern may be nested as deep as it is long', () => {
  const deep = (depth: number): string => `${'{"a":'.repeat(depth)}[1]${'}'.repeat(depth)}`;
  expect(reasonOf(JSON.parse(deep(600)))).toBe('valid');
  expect(matches(JSON.parse(deep(600)), JSON.parse(deep(600)))).toBe(true);
  expect(reasonOf(JSON.parse(deep(2_000)))).toContain('expected at most 4096 characters');
});

it('no event ends the matching of a pattern', () => {
  const operators = [{ cidr: '::/0' }, { wildcard: '*a' }, { numeric: ['>', 0] }, { 'anything-but': 'a' }];
  const pattern = compilePattern({ x: { y: [...operators, { exists: false }] } });
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      expect(typeof pattern({ x: [value, { y: [value, text] }] })).toBe('boolean');
    }),
  );
});
