import { isRecord } from '../../../shared/protocol/json.ts';
import { invalid } from './invalid.ts';
import { matcherOf } from './match.ts';
import {
  checkWildcards,
  compileOperator,
  isScalar,
  type JsonObject,
  only,
  type Predicate,
} from './operators.ts';
import type { Field, OnLook } from './outline.ts';

/** Decides whether an event (the parsed envelope) matches. */
export type Pattern = (event: unknown) => boolean;

/** EventBridge user guide, "Comparison operators": `$or` may span at most this many combinations. */
const OR_COMBINATIONS_MAX = 1_000;
/** EventBridge API reference, PutRule. The quota of an account is half of it unless it has been raised. */
const CHARACTERS_MAX = 4_096;

/** Names of fields that AWS does not take inside `$or`: it has operators of these names, or means to have them. */
const RESERVED_IN_OR: ReadonlySet<string> = new Set([
  ...[
    'exactly',
    'prefix',
    'suffix',
    'equals-ignore-case',
    'wildcard',
    'anything-but',
    'exists',
    'numeric',
    'cidr',
  ],
  ...['=', '<', '<=', '>', '>=', 'regex', 'not-wildcard', 'not-equals-ignore-case'],
  ...['date-after', 'date-on-or-after', 'date-before', 'date-on-or-before', 'in-date-range'],
  ...['ip-address-in-range', 'ip-address-not-in-range'],
]);

/** What one alternative asks of an event: its fields by their path. */
type Alternative = ReadonlyMap<string, Field>;

interface Surroundings {
  readonly path: readonly string[];
  readonly isInOr: boolean;
  /** Whether `$or` has its meaning, and is not a name like any other. */
  readonly knowsOr: boolean;
}

/**
 * Compiles an event pattern (EventBridge user guide, "Event patterns"): keys are joined by AND, the values of a key by
 * OR. It is read as AWS's own engine (aws/event-ruler) reads it: as fields by their path, in which a dot within a name
 * is like one between names, and of which a later one replaces an earlier one of the same path, within `$or` too.
 *
 * Known differences: AWS compares numbers of more than 15 digits as text, sees each of several members of one name, and
 * knows an address in each of its spellings.
 */
export function compilePattern(pattern: unknown, onLook: OnLook = () => {}): Pattern {
  if (!isRecord(pattern)) throw invalid('Filter is not an object');
  const { length } = JSON.stringify(pattern);
  if (length > CHARACTERS_MAX) throw invalid(`expected at most ${CHARACTERS_MAX} characters, got ${length}`);
  return matcherOf(alternativesOf(pattern).map(fieldsOf), onLook);
}

function alternativesOf(pattern: JsonObject): Alternative[] {
  const start: Alternative[] = [new Map()];
  try {
    return addFields(start, pattern, { path: [], isInOr: false, knowsOr: true });
  } catch (error) {
    try {
      return addFields(start, pattern, { path: [], isInOr: false, knowsOr: false });
    } catch {
      throw error; // not the fault of `$or`, or not of it alone
    }
  }
}

const fieldsOf = (alternative: Alternative): Field[] =>
  [...alternative]
    // Which of two fields is looked at first can matter: see match.ts.
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, field]) => field);

function addFields(
  alternatives: readonly Alternative[],
  pattern: JsonObject,
  surroundings: Surroundings,
): Alternative[] {
  const entries = Object.entries(pattern);
  if (entries.length === 0) throw invalid('Empty objects are not allowed');
  return entries.reduce<Alternative[]>(
    (all, [key, value]) => addField(all, key, value, surroundings),
    [...alternatives],
  );
}

function addField(
  alternatives: readonly Alternative[],
  key: string,
  value: unknown,
  surroundings: Surroundings,
): Alternative[] {
  const { path, isInOr, knowsOr } = surroundings;
  if (key === '$or' && knowsOr) return branch(alternatives, value, surroundings);
  if (isInOr && RESERVED_IN_OR.has(key)) {
    throw invalid(`${key} is Ruler reserved fieldName which cannot be used inside $or.`);
  }
  if (isRecord(value)) return addFields(alternatives, value, { ...surroundings, path: [...path, key] });
  if (!Array.isArray(value)) throw invalid(`"${key}" must be an object or an array`);
  const name = [...path, key].join('.');
  const field = { ...compileValues(value), path: name.split('.') };
  return alternatives.map((alternative) => new Map(alternative).set(name, field));
}

/** As many alternatives as there were, for each object of `$or`. */
function branch(
  alternatives: readonly Alternative[],
  objects: unknown,
  surroundings: Surroundings,
): Alternative[] {
  if (!Array.isArray(objects)) throw invalid('It must be an Array followed with $or.');
  const branches: Alternative[] = [];
  for (const object of objects) {
    if (!isRecord(object)) throw invalid('Only JSON object is allowed in array of $or relationship.');
    branches.push(...addFields(alternatives, object, { ...surroundings, isInOr: true }));
    if (branches.length > OR_COMBINATIONS_MAX) {
      throw invalid(`expected at most ${OR_COMBINATIONS_MAX} combinations of $or, got more`);
    }
  }
  if (objects.length < 2) throw invalid('There must have at least 2 Objects in $or relationship.');
  return branches;
}

function compileValues(values: readonly unknown[]): Omit<Field, 'path'> {
  if (values.length === 0) throw invalid('Empty arrays are not allowed');
  const exact = new Set(values.filter(isScalar));
  const tests = values.filter((value) => !isScalar(value)).map(compileTest);
  checkWildcards(values);
  const predicates = tests.filter((test) => test !== 'absent');
  return {
    takes: (leaf) => exact.has(leaf) || predicates.some((predicate) => predicate(leaf)),
    takesAbsence: tests.includes('absent'),
  };
}

function compileTest(expression: unknown): Predicate | 'absent' {
  if (!isRecord(expression)) throw invalid('Match value must be String, number, true, false, or null');
  const [operator, argument] = only(expression, 'match expression', 'Match expression name not found');
  if (operator !== 'exists') return compileOperator(operator, argument);
  if (typeof argument !== 'boolean') throw invalid('exists match pattern must be either true or false.');
  return argument ? () => true : 'absent';
}
