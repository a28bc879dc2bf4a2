import { BlockList, isIP } from 'node:net';
import { isRecord } from '../../../shared/protocol/json.ts';
import { invalid } from './invalid.ts';
import { isTooComplex, matcherOf } from './wildcards.ts';

export type JsonObject = Record<string, unknown>;
/** Decides about one scalar of an event. */
export type Predicate = (leaf: unknown) => boolean;

type Compile = (argument: unknown) => Predicate;

/**
 * EventBridge user guide, "Numeric matching": numbers lie within five billion of zero and have up to six decimals. Others
 * in an event match no comparison.
 */
const NUMBER_MAX = 5_000_000_000;
const DECIMALS_MAX = 6;

/** What AWS's engine takes for an address; others never match, and it does not take them in a pattern. */
const IPV4 = /^\d+(\.\d+){3}$/;
const IPV6 = /^[\da-f:]*:[\da-f:]*$/i;

/** The operators of event patterns that look at one value (EventBridge user guide, "Comparison operators"). */
const operators: Readonly<Record<string, Compile>> = {
  prefix: (argument) => edge('prefix', argument),
  suffix: (argument) => edge('suffix', argument),
  'equals-ignore-case': (argument) => ignoringCase(text('equals-ignore-case', argument)),
  wildcard,
  numeric,
  cidr,
  'anything-but': anythingBut,
};

/** What `anything-but` may negate: one such argument, or a list of them. */
const negatable: Readonly<Record<string, Compile>> = {
  prefix: (argument) => edge('prefix', nonEmptyText(argument)),
  suffix: (argument) => edge('suffix', nonEmptyText(argument)),
  'equals-ignore-case': (argument) => {
    if (typeof argument === 'string') return ignoringCase(argument);
    throw invalid('Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.');
  },
  wildcard,
};

export function compileOperator(name: string, argument: unknown): Predicate {
  const compile = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (!compile) throw invalid(`Unrecognized match type ${name}`);
  return compile(argument);
}

/** Throws if the wildcards among the values of a field are too complex together. The values are valid each. */
export function checkWildcards(values: readonly unknown[]): void {
  const groups = values.filter(isRecord).flatMap(({ wildcard: single, 'anything-but': refused }) => {
    const list = isRecord(refused) ? refused.wildcard : single;
    return list === undefined ? [] : [[list].flat() as string[]];
  });
  // AWS takes a value that is written twice for one.
  const distinct = new Map(groups.map((group) => [JSON.stringify(group), group]));
  if (!isTooComplex([...distinct.values()])) return;
  throw invalid(
    'Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character',
  );
}

function edge(side: 'prefix' | 'suffix', argument: unknown): Predicate {
  if (!isRecord(argument)) {
    const part = text(side, argument);
    const has = (whole: string): boolean =>
      side === 'prefix' ? whole.startsWith(part) : whole.endsWith(part);
    return (leaf) => typeof leaf === 'string' && has(leaf);
  }
  const [name, inner] = only(
    argument,
    side,
    `${side === 'prefix' ? 'Prefix' : 'Suffix'} expression name not found`,
  );
  if (name !== 'equals-ignore-case') throw invalid(`Unsupported ${side} pattern: ${name}`);
  return ignoringCase(text(name, inner), side);
}

/** As AWS's engine does it: each UTF-16 unit of the pattern in its lower or in its upper case, `ß` as `SS` too. */
function ignoringCase(part: string, side?: 'prefix' | 'suffix'): Predicate {
  const cases = part.split('').map((unit) => [unit.toLowerCase(), unit.toUpperCase()]);
  const units = cases.map((texts) => `(?:${texts.map(RegExp.escape).join('|')})`);
  const pattern = new RegExp(
    `${side === 'suffix' ? '' : '^'}${units.join('')}${side === 'prefix' ? '' : '$'}`,
  );
  // An end is looked for where it can begin, not from every character of a long text.
  const lengthMax = cases.flat().join('').length;
  return (leaf) =>
    typeof leaf === 'string' && pattern.test(side === 'suffix' ? leaf.slice(-lengthMax) : leaf);
}

function wildcard(argument: unknown): Predicate {
  const matches = matcherOf(text('wildcard', argument));
  return (leaf) => typeof leaf === 'string' && matches(leaf);
}

const comparisons: Readonly<Record<string, (leaf: number, bound: number) => boolean>> = {
  '=': (leaf, bound) => leaf === bound,
  '<': (leaf, bound) => leaf < bound,
  '<=': (leaf, bound) => leaf <= bound,
  '>': (leaf, bound) => leaf > bound,
  '>=': (leaf, bound) => leaf >= bound,
};

/** One comparison, or a range: a lower bound and then an upper one. */
function numeric(argument: unknown): Predicate {
  if (!Array.isArray(argument)) throw invalid('Value of numeric must be an array.');
  const [operator, bound, ...more]: unknown[] = argument;
  const test = comparison(operator, bound);
  const upperTest = more.length === 0 ? () => true : upperBound(operator, Number(bound), more);
  return (leaf) => typeof leaf === 'number' && Math.abs(leaf) <= NUMBER_MAX && test(leaf) && upperTest(leaf);
}

function comparison(operator: unknown, bound: unknown): (leaf: number) => boolean {
  if (typeof operator !== 'string') throw invalid(`Invalid member in numeric match: ${tokenOf(operator)}`);
  const compare = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
  if (!compare) throw invalid(`Unrecognized numeric range operator: ${operator}`);
  if (typeof bound !== 'number') {
    throw invalid(`Value of ${operator === '=' ? 'equals' : operator} must be numeric`);
  }
  if (Math.abs(bound) > NUMBER_MAX) throw invalid(`Value must be between -${NUMBER_MAX} and ${NUMBER_MAX}`);
  if (Number(bound.toFixed(DECIMALS_MAX)) !== bound) {
    throw invalid(`expected a number with up to ${DECIMALS_MAX} decimals, got ${bound}`);
  }
  return (leaf) => compare(leaf, bound);
}

/** What follows the lower bound of a range. */
function upperBound(
  lowerOperator: unknown,
  lower: number,
  [operator, bound, ...more]: readonly unknown[],
): (leaf: number) => boolean {
  if (!String(lowerOperator).startsWith('>')) throw invalid('Too many elements in numeric expression');
  if (typeof operator !== 'string') throw invalid(`Bad value in numeric range: ${tokenOf(operator)}`);
  if (operator !== '<' && operator !== '<=') throw invalid(`Bad numeric range operator: ${operator}`);
  const test = comparison(operator, bound);
  if (more.length > 0) throw invalid('Too many terms in numeric range expression');
  if (lower >= Number(bound)) throw invalid('Bottom must be less than top');
  return test;
}

/** How AWS's parser calls a value that it did not expect. */
function tokenOf(value: unknown): string {
  if (value === undefined) return ']';
  return Array.isArray(value) ? '[' : isRecord(value) ? '{' : String(value);
}

function cidr(argument: unknown): Predicate {
  const [address = '', bits = '', ...more] = text('prefix', argument).split('/');
  if (bits === '' || more.length > 0) throw invalid("Malformed CIDR, one '/' required");
  if (!/^-?\d+$/.test(bits)) throw invalid('Malformed CIDR, mask bits must be an integer');
  if (Number(bits) < 0) throw invalid('Malformed CIDR, mask bits must not be negative');
  const looksRight = IPV4.test(address) || IPV6.test(address);
  const version = versionOf(address);
  if (version === 0) throw invalid(`${looksRight ? 'Invalid' : 'Nonstandard'} IP address: ${address}`);
  // AWS takes no single address: a range of one is written as the value itself.
  const bitsMax = version === 4 ? 32 : 128;
  if (Number(bits) >= bitsMax) throw invalid(`IPv${version} mask bits must be < ${bitsMax}`);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(address, Number(bits), family);
  return (leaf) => typeof leaf === 'string' && versionOf(leaf) === version && block.check(leaf, family);
}

const versionOf = (address: string): number => (IPV4.test(address) || IPV6.test(address) ? isIP(address) : 0);

/** Matches a field that is there, with any value (null too) but those named. */
function anythingBut(argument: unknown): Predicate {
  const refused = isRecord(argument) ? anyOf(argument) : oneOf(argument);
  return (leaf) => !refused(leaf);
}

function anyOf(argument: JsonObject): Predicate {
  const [name, inner] = only(argument, 'anything-but', 'Anything-But expression name not found');
  const compile = Object.hasOwn(negatable, name) ? negatable[name] : undefined;
  if (!compile) throw invalid(`Unsupported anything-but pattern: ${name}`);
  const predicates = refusedValues(inner).map(compile);
  if (predicates.length === 0) throw invalid('Empty arrays are not allowed');
  return (leaf) => predicates.some((predicate) => predicate(leaf));
}

function oneOf(argument: unknown): Predicate {
  const values = refusedValues(argument);
  if (!values.every((value) => typeof value === 'string' || typeof value === 'number')) {
    throw invalid('Inside anything but list, start|null|boolean is not supported.');
  }
  if (new Set(values.map((value) => typeof value)).size !== 1) {
    throw invalid(
      'Inside anything but list, either all values are number or string, mixed type is not supported',
    );
  }
  const refused = new Set(values);
  return (leaf) => refused.has(leaf as string | number);
}

function refusedValues(argument: unknown): readonly unknown[] {
  if (Array.isArray(argument)) return argument;
  if (typeof argument === 'string' || typeof argument === 'number') return [argument];
  throw invalid('Value of anything-but must be an array or single string/number value.');
}

function text(operator: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(`${operator} match pattern must be a string`);
  return value;
}

function nonEmptyText(value: unknown): string {
  const part = text('prefix/suffix', value);
  if (part === '') throw invalid('Null prefix/suffix not allowed');
  return part;
}

/** The one entry of an object that may have no other. */
export function only(object: JsonObject, what: string, reasonIfEmpty: string): [string, unknown] {
  const [entry, ...more] = Object.entries(object);
  if (!entry) throw invalid(reasonIfEmpty);
  if (more.length > 0) throw invalid(`Only one key allowed in ${what}`);
  return entry;
}

export const isScalar = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && value !== undefined);
