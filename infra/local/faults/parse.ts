import { describe } from '../../../shared/protocol/errors.ts';
import { isRecord } from '../../../shared/protocol/json.ts';
import { RequestError } from '../http/engine.ts';
import type { Names } from '../stack/names.ts';
import type { EffectOf, FaultOf, FaultSet, On, TableOperation } from './fault.ts';
import { type NameKind, TYPES } from './kinds.ts';
import { SEED_MAX } from './random.ts';

const FAULTS_MAX = 100;
/** The longest delay of SQS, which keeps the delayed ones (SQS API reference, SendMessage). */
const DELAY_MS_MAX = 900_000;

/** Says what is expected, if the value is not that. */
type Check = (value: unknown, names: Names) => string | undefined;

interface Field {
  readonly check: Check;
  readonly isOptional: boolean;
}
type Fields<F> = { readonly [K in Exclude<keyof F, 'on' | 'effect' | 'rate' | 'times'>]-?: Field };

const expecting =
  (expected: string, isSound: (value: unknown) => boolean): Check =>
  (value) =>
    isSound(value) ? undefined : expected;

const wholeNumber = (min: number, max: number): Check =>
  expecting(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  );

const oneOf = (...values: readonly string[]): Check =>
  expecting(`one of ${values.join(', ')}`, (value) => values.includes(value as string));

const text = expecting('a string', (value) => typeof value === 'string');

const isMs = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= DELAY_MS_MAX;

const span = expecting(
  `whole milliseconds from 0 to ${DELAY_MS_MAX}, or two of them, [from, to]`,
  (value) =>
    isMs(value) || (Array.isArray(value) && value.length === 2 && value.every(isMs) && value[0] <= value[1]),
);

const named =
  (kind: NameKind): Check =>
  (value, names) =>
    typeof value === 'string' && names.physicalNames(TYPES[kind], value).length > 0
      ? undefined
      : `the name of a ${kind} (${names.allPhysicalNames(TYPES[kind]).join(', ')}) or of a construct with one`;

const required = (check: Check): Field => ({ check, isOptional: false });
const optional = (check: Check): Field => ({ check, isOptional: true });

const CHANCE: Readonly<Record<string, Field>> = {
  rate: optional(
    expecting('a number above 0, up to 1', (value) => typeof value === 'number' && value > 0 && value <= 1),
  ),
  times: optional(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
};

const delayMs = required(span);
const connectionId = optional(text);
const method = optional(oneOf('POST', 'GET', 'DELETE'));
const queue = optional(named('queue'));
const event = { bus: optional(named('bus')), detailType: optional(text) };
const OPERATIONS: readonly TableOperation[] = [
  'GetItem',
  'PutItem',
  'UpdateItem',
  'DeleteItem',
  'Query',
  'Scan',
  'BatchGetItem',
  'BatchWriteItem',
];
const request = { table: optional(named('table')), operation: optional(oneOf(...OPERATIONS)) };
const environment = { function: optional(named('function')) };

/** The fields of every fault, beside those that all have. */
const FAULTS: { readonly [O in On]: { readonly [E in EffectOf<O>]: Fields<FaultOf<O, E>> } } = {
  '@connections': {
    delay: { connectionId, method, delayMs },
    hang: { connectionId, method },
    answer: { connectionId, method, status: required(wholeNumber(400, 599)), delayMs: optional(span) },
    drop: { connectionId, method, delayMs: optional(span) },
  },
  disconnect: { lose: { connectionId }, delay: { connectionId, delayMs } },
  queue: { duplicate: { queue }, reorder: { queue }, delay: { queue, delayMs } },
  bus: { duplicate: { ...event, delayMs: optional(span) }, delay: { ...event, delayMs } },
  table: {
    throttle: {
      ...request,
      error: optional(oneOf('ProvisionedThroughputExceededException', 'ThrottlingException')),
    },
    delay: { ...request, delayMs },
  },
  function: {
    kill: {
      ...environment,
      call: required(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
      operation: optional(text),
      when: optional(oneOf('before', 'after')),
    },
    crash: environment,
    delay: { ...environment, delayMs },
  },
};

/** Throws one `RequestError` that names everything wrong. */
export function parseFaultSet(value: unknown, names: Names): FaultSet {
  const problems = problemsOf(value, names);
  if (problems.length > 0) throw new RequestError('BadRequest', problems.join('; '));
  return value as FaultSet; // every field has been checked
}

function problemsOf(value: unknown, names: Names): string[] {
  if (!isRecord(value)) return [unexpected('a JSON object', value)];
  const { seed, faults, ...rest } = value;
  const problems = unknownFields('', rest, ['seed', 'faults']);
  if (seed !== undefined) problems.push(...problemsWith('seed', seed, wholeNumber(0, SEED_MAX), names));
  if (!Array.isArray(faults) || faults.length > FAULTS_MAX) {
    return [...problems, unexpected(`faults to be a list of at most ${FAULTS_MAX}`, faults)];
  }
  return [...problems, ...faults.flatMap((fault, index) => faultProblems(`faults[${index}]`, fault, names))];
}

function faultProblems(path: string, value: unknown, names: Names): string[] {
  if (!isRecord(value)) return [unexpected(`${path} to be an object`, value)];
  const { on, effect, ...rest } = value;
  const effects = memberOf<Record<string, Record<string, Field>>>(FAULTS, on);
  if (!effects) return problemsWith(`${path}.on`, on, oneOf(...Object.keys(FAULTS)), names);
  const own = memberOf(effects, effect);
  if (!own) return problemsWith(`${path}.effect`, effect, oneOf(...Object.keys(effects)), names);
  const fields = { ...own, ...CHANCE };
  const unknown = Object.fromEntries(Object.entries(rest).filter(([name]) => !Object.hasOwn(fields, name)));
  const checked = Object.entries(fields).flatMap(([name, { check, isOptional }]) =>
    rest[name] === undefined && isOptional ? [] : problemsWith(`${path}.${name}`, rest[name], check, names),
  );
  return [...unknownFields(`${path}.`, unknown, ['on', 'effect', ...Object.keys(fields)]), ...checked];
}

const problemsWith = (path: string, value: unknown, check: Check, names: Names): string[] => {
  const expected = check(value, names);
  return expected === undefined ? [] : [unexpected(`${path} to be ${expected}`, value)];
};

const unknownFields = (path: string, unknown: object, known: readonly string[]): string[] =>
  Object.keys(unknown).map((name) => `expected ${path}${known.join(', ')}, got ${path}${name}`);

const unexpected = (expected: string, value: unknown): string =>
  `expected ${expected}, got ${describe(value)}`;

const memberOf = <T>(record: Readonly<Record<string, T>>, key: unknown): T | undefined =>
  typeof key === 'string' && Object.hasOwn(record, key) ? record[key] : undefined;
