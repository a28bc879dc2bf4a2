import { BlockList, isIP } from 'node:net';
import { isRecord } from '../../../shared/protocol/json.ts';

export type JsonObject = Record<string, unknown>;
/** Decides about one scalar of an event. */
type Predicate = (leaf: unknown) => boolean;

type Compile = (argument: unknown) => Predicate;

/** EventBridge user guide, "Numeric matching": numbers lie within five billion of zero. */
const NUMBER_MAX = 5_000_000_000;

/** The operators of event patterns that look at one value (EventBridge user guide, "Comparison operators"). */
const operators: Readonly<Record<string, Compile>> = {
  prefix: (argument) => edge('prefix', argument),
  suffix: (argument) => edge('suffix', argument),
  'equals-ignore-case': (argument) => equalsIgnoreCase('equals-ignore-case', argument),
  wildcard,
  numeric,
  cidr,
  'anything-but': anythingBut,
};

const negatable: Readonly<Record<string, Compile>> = {
  prefix: (argument) => edge('prefix', nonEmptyText(argument)),
  suffix: (argument) => edge('suffix', nonEmptyText(argument)),
  'equals-ignore-case': (argument) => equalsIgnoreCase('anything-but/equals-ignore-case', argument),
  wildcard,
};

export function compileOperator(name: string, argument: unknown): Predicate {
  const compile = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (!compile) throw invalid(`Unrecognized match type ${name}`);
  return compile(argument);
}

function edge(side: 'prefix' | 'suffix', argument: unknown): Predicate {
  const has = (whole: string, part: string): boolean =>
    side === 'prefix' ? whole.startsWith(part) : whole.endsWith(part);
  if (!isRecord(argument)) {
    const part = text(side, argument);
    return (leaf) => typeof leaf === 'string' && has(leaf, part);
  }
  const [name, inner] = only(argument, side);
  if (name !== 'equals-ignore-case') throw invalid(`Unsupported ${side} pattern: ${name}`);
  const part = text(name, inner).toLowerCase();
  return (leaf) => typeof leaf === 'string' && has(leaf.toLowerCase(), part);
}

function equalsIgnoreCase(operator: string, argument: unknown): Predicate {
  const lower = text(operator, argument).toLowerCase();
  return (leaf) => typeof leaf === 'string' && leaf.toLowerCase() === lower;
}

/**
 * `*` stands for any characters, `\*` and `\\` for themselves. The pieces between the stars are looked for one after
 * the other: linear in the event's text, which a regular expression with several `.*` is not.
 */
function wildcard(argument: unknown): Predicate {
  const [first = '', ...rest] = piecesOf(text('wildcard', argument));
  const last = rest.pop();
  if (last === undefined) return (leaf) => leaf === first;
  return (leaf) => {
    if (typeof leaf !== 'string' || !leaf.startsWith(first)) return false;
    let end = first.length;
    for (const piece of rest) {
      const start = leaf.indexOf(piece, end);
      if (start < 0) return false;
      end = start + piece.length;
    }
    return leaf.length - last.length >= end && leaf.endsWith(last);
  };
}

function piecesOf(pattern: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const [token] of pattern.matchAll(/\\[*\\]|./gs)) {
    if (token === '\\') throw invalid(`Invalid escape character in ${pattern}`);
    if (token === '*') {
      pieces.push(piece);
      piece = '';
    } else {
      piece += token.at(-1);
    }
  }
  pieces.push(piece);
  if (pieces.slice(1, -1).includes('')) throw invalid(`Consecutive wildcard characters in ${pattern}`);
  return pieces;
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
  const [operator, bound, upperOperator, upperBound]: unknown[] = argument;
  const test = comparison(operator, bound);
  if (argument.length <= 2) return (leaf) => typeof leaf === 'number' && test(leaf);
  const upperTest = comparison(upperOperator, upperBound);
  const isRange = String(operator).startsWith('>') && String(upperOperator).startsWith('<');
  if (!isRange || argument.length > 4) throw invalid(`Bad numeric range operator: ${upperOperator}`);
  if (Number(bound) >= Number(upperBound)) throw invalid('Bottom must be less than top');
  return (leaf) => typeof leaf === 'number' && test(leaf) && upperTest(leaf);
}

function comparison(operator: unknown, bound: unknown): (leaf: number) => boolean {
  const compare = comparisons[String(operator)];
  if (!compare) throw invalid(`Bad numeric range operator: ${operator}`);
  if (typeof bound !== 'number') throw invalid(`Value of ${operator} must be numeric`);
  if (Math.abs(bound) > NUMBER_MAX) throw invalid(`Value must be between -${NUMBER_MAX} and ${NUMBER_MAX}`);
  return (leaf) => compare(leaf, bound);
}

function cidr(argument: unknown): Predicate {
  const [address = '', bits = '', ...more] = text('prefix', argument).split('/');
  if (bits === '' || more.length > 0) throw invalid("Malformed CIDR, one '/' required");
  if (!/^\d+$/.test(bits)) throw invalid('Malformed CIDR, mask bits must be an integer');
  const version = isIP(address);
  if (version === 0) throw invalid(`Nonstandard IP address: ${address}`);
  if (Number(bits) > (version === 4 ? 32 : 128)) throw invalid('Malformed CIDR, too many mask bits');
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(address, Number(bits), family);
  return (leaf) => typeof leaf === 'string' && isIP(leaf) === version && block.check(leaf, family);
}

/** Matches a field that is there, with any value (null too) but those named. */
function anythingBut(argument: unknown): Predicate {
  const refused = isRecord(argument) ? anyOf(argument) : oneOf(argument);
  return (leaf) => !refused(leaf);
}

function anyOf(argument: JsonObject): Predicate {
  const [name, inner] = only(argument, 'anything-but');
  const compile = Object.hasOwn(negatable, name) ? negatable[name] : undefined;
  if (!compile) throw invalid(`Unsupported anything-but pattern: ${name}`);
  const predicates = listOf(inner).map(compile);
  return (leaf) => predicates.some((predicate) => predicate(leaf));
}

function oneOf(argument: unknown): Predicate {
  const values = listOf(argument);
  const types = new Set(values.map((value) => typeof value));
  if (types.size !== 1 || !(types.has('string') || types.has('number'))) {
    throw invalid('Value of anything-but must be an array or single string/number value.');
  }
  const refused = new Set(values);
  return (leaf) => refused.has(leaf);
}

function listOf(argument: unknown): readonly unknown[] {
  if (!Array.isArray(argument)) return [argument];
  if (argument.length === 0) throw invalid('Empty arrays are not allowed');
  return argument;
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
export function only(object: JsonObject, what: string): [string, unknown] {
  const [entry, ...more] = Object.entries(object);
  if (!entry || more.length > 0) throw invalid(`Only one key allowed in ${what}`);
  return entry;
}

export const isScalar = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && value !== undefined);

export const invalid = (reason: string): Error => new Error(`Event pattern is not valid. Reason: ${reason}`);
