import { describe } from '../../../shared/protocol/errors.ts';
import { isRecord } from '../../../shared/protocol/json.ts';
import { RequestError } from '../http/engine.ts';
import type { Names } from '../stack/names.ts';
import { busFields } from './buses.ts';
import type { Fault, FaultSet, On } from './fault.ts';
import { CHANCE, type Check, type Field, type FieldsByEffect, oneOf, wholeNumber } from './fields.ts';
import { functionFields } from './functions.ts';
import { connectionsFields, disconnectFields } from './gateway.ts';
import { queueFields } from './queues.ts';
import { SEED_MAX } from './random.ts';
import { tableFields } from './tables.ts';

const FAULTS_MAX = 100;

/** The fields of every fault, beside those that all have. */
const FAULTS: { readonly [O in On]: FieldsByEffect<Extract<Fault, { on: O }>> } = {
  '@connections': connectionsFields,
  disconnect: disconnectFields,
  queue: queueFields,
  bus: busFields,
  table: tableFields,
  function: functionFields,
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
