import { isRecord } from '../../../shared/protocol/json.ts';
import { compileOperator, invalid, isScalar, type JsonObject, only } from './operators.ts';

/** Decides whether an event (the parsed envelope) matches. */
export type Pattern = (event: unknown) => boolean;

/** EventBridge user guide, "Comparison operators": `$or` may span at most this many combinations. */
const OR_COMBINATIONS_MAX = 1_000;

type ObjectTest = (object: JsonObject) => boolean;
/** `leaves` are the scalars of one field: one, none if the field is absent, several if it is an array. */
type FieldTest = (leaves: readonly unknown[]) => boolean;

/**
 * Compiles an event pattern (EventBridge user guide, "Event patterns"): keys are joined by AND, the values of a
 * key by OR. The reasons in the errors are AWS's own where they are known.
 *
 * Known differences: AWS also takes `"a.b"` and `{"a":{"b":…}}` for the same key, and refuses some patterns with many
 * wildcards as too complex.
 */
export function compilePattern(pattern: unknown): Pattern {
  if (!isRecord(pattern)) throw invalid('Filter is not an object');
  const combinations = countCombinations(pattern);
  if (combinations > OR_COMBINATIONS_MAX) {
    throw invalid(`expected at most ${OR_COMBINATIONS_MAX} combinations of $or, got ${combinations}`);
  }
  return compileObject(pattern);
}

function compileObject(pattern: JsonObject): Pattern {
  const fields = Object.entries(pattern).map(([key, value]) =>
    key === '$or' ? compileOr(value) : compileField(key, value),
  );
  if (fields.length === 0) throw invalid('Empty objects are not allowed');
  const matches = (value: unknown): boolean => {
    // One element of an array has to match as a whole, not each field in another element.
    if (Array.isArray(value) && value.length > 0) return value.some(matches);
    // What is absent or scalar has no fields: nothing but `exists: false` matches in it.
    const object = isRecord(value) ? value : {};
    return fields.every((test) => test(object));
  };
  return matches;
}

function compileOr(alternatives: unknown): ObjectTest {
  if (!Array.isArray(alternatives) || alternatives.length < 2 || !alternatives.every(isRecord)) {
    throw invalid('expected $or to be an array of two or more objects');
  }
  const patterns = alternatives.map(compileObject);
  return (object) => patterns.some((matches) => matches(object));
}

function compileField(key: string, value: unknown): ObjectTest {
  const get = (object: JsonObject): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);
  if (isRecord(value)) {
    const matches = compileObject(value);
    return (object) => matches(get(object));
  }
  if (!Array.isArray(value)) throw invalid(`"${key}" must be an object or an array`);
  const test = compileValues(value);
  return (object) => test(leavesOf(get(object)));
}

function compileValues(values: readonly unknown[]): FieldTest {
  if (values.length === 0) throw invalid('Empty arrays are not allowed');
  const exact = new Set(values.filter(isScalar));
  const tests = values.filter((value) => !isScalar(value)).map(compileTest);
  return (leaves) => leaves.some((leaf) => exact.has(leaf)) || tests.some((test) => test(leaves));
}

function compileTest(expression: unknown): FieldTest {
  if (!isRecord(expression)) throw invalid('expected a value or an operator, got an array');
  const [operator, argument] = only(expression, 'match expression');
  if (operator === 'exists') return exists(argument);
  const predicate = compileOperator(operator, argument);
  return (leaves) => leaves.some(predicate);
}

/** Looks at leaves only: an object in this place counts as absent. */
function exists(argument: unknown): FieldTest {
  if (typeof argument !== 'boolean') throw invalid('exists match pattern must be either true or false.');
  return (leaves) => leaves.length > 0 === argument;
}

const leavesOf = (value: unknown): unknown[] =>
  Array.isArray(value) ? value.flat(Infinity).filter(isScalar) : isScalar(value) ? [value] : [];

function countCombinations(pattern: JsonObject): number {
  return Object.entries(pattern).reduce((product, [key, value]) => {
    if (key !== '$or') return product * (isRecord(value) ? countCombinations(value) : 1);
    const alternatives = Array.isArray(value) ? value.filter(isRecord) : [];
    return product * alternatives.reduce((sum, alternative) => sum + countCombinations(alternative), 0);
  }, 1);
}
