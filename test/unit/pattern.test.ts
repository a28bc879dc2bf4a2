import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../infra/local/eventbridge/pattern.ts';

const matches = (pattern: unknown, event: unknown): boolean => compilePattern(pattern)(event);
/** A pattern with `condition` for the field `x` of the detail, against an event that has `value` there. */
const matchesValue = (condition: unknown, value: unknown): boolean =>
  matches({ detail: { x: [condition] } }, { source: 'shop', detail: { x: value } });
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

  it('do not find keys that an object only inherits', () => {
    expect(matches({ constructor: [{ exists: true }] }, {})).toBe(false);
    expect(matches({ detail: { toString: [{ exists: false }] } }, { detail: {} })).toBe(true);
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
    [{ cidr: '10.0.0.0/24' }, '10.0.0.255', true],
    [{ cidr: '10.0.0.0/24' }, '10.0.1.0', false],
    [{ cidr: '10.0.0.0/24' }, 'not an address', false],
    [{ cidr: '0.0.0.0/0' }, '::1', false],
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

  it('may span a thousand combinations and no more', () => {
    const ten = (key: string) => ({ [key]: { $or: Array.from({ length: 10 }, (_, x) => ({ x: [x] })) } });
    expect(reasonOf({ ...ten('a'), ...ten('b'), ...ten('c') })).toBe('valid');
    expect(reasonOf({ ...ten('a'), ...ten('b'), ...ten('c'), $or: [{ d: [1] }, { d: [2] }] })).toContain(
      'expected at most 1000 combinations of $or, got 2000',
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
    [{ source: [['shop']] }, 'expected a value or an operator, got an array'],
    [{ source: [{ PREFIX: 'a' }] }, 'Unrecognized match type PREFIX'],
    [{ source: [{ toString: 'a' }] }, 'Unrecognized match type toString'],
    [{ source: [{ prefix: 'a', suffix: 'b' }] }, 'Only one key allowed in match expression'],
    [{ source: [{ prefix: 1 }] }, 'prefix match pattern must be a string'],
    [{ source: [{ exists: 'yes' }] }, 'exists match pattern must be either true or false.'],
    [{ source: [{ wildcard: 'a**' }] }, 'Consecutive wildcard characters in a**'],
    [{ source: [{ wildcard: 'a\\b' }] }, 'Invalid escape character in a\\b'],
    [{ size: [{ numeric: 10 }] }, 'Value of numeric must be an array.'],
    [{ size: [{ numeric: [] }] }, 'Bad numeric range operator: undefined'],
    [{ size: [{ numeric: ['>', 0, '<'] }] }, 'Value of < must be numeric'],
    [{ size: [{ numeric: ['>', 0, '>', 5] }] }, 'Bad numeric range operator: >'],
    [{ size: [{ numeric: ['>', 5, '<', 5] }] }, 'Bottom must be less than top'],
    [{ size: [{ numeric: ['>', 5_000_000_001] }] }, 'Value must be between -5000000000 and 5000000000'],
    [{ ip: [{ cidr: '10.0.0.0' }] }, "Malformed CIDR, one '/' required"],
    [{ ip: [{ cidr: '10.0.0.0/a' }] }, 'Malformed CIDR, mask bits must be an integer'],
    [{ ip: [{ cidr: '10.0.0.0/33' }] }, 'Malformed CIDR, too many mask bits'],
    [{ ip: [{ cidr: '10.0.x.0/8' }] }, 'Nonstandard IP address: 10.0.x.0'],
    [
      { a: [{ 'anything-but': null }] },
      'Value of anything-but must be an array or single string/number value.',
    ],
    [{ a: [{ 'anything-but': ['a', 1] }] }, 'Value of anything-but must be'],
    [{ a: [{ 'anything-but': [] }] }, 'Empty arrays are not allowed'],
    [{ a: [{ 'anything-but': { prefix: '' } }] }, 'Null prefix/suffix not allowed'],
    [{ a: [{ 'anything-but': { numeric: ['=', 1] } }] }, 'Unsupported anything-but pattern: numeric'],
    [{ $or: [{ a: [1] }] }, 'expected $or to be an array of two or more objects'],
  ])('%j: %s', (pattern, reason) => {
    expect(reasonOf(pattern)).toContain(`Event pattern is not valid. Reason: ${reason}`);
  });
});
