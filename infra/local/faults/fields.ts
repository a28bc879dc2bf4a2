import type { Names } from '../stack/names.ts';

/** Milliseconds, or a range: each strike takes any of it. */
export type Span = number | readonly [min: number, max: number];

/** What every fault has beside its own fields. */
export interface Chance {
  /** How many strike of those that could: above 0, up to 1, which is the default. */
  readonly rate?: number;
  /** How often it strikes at most. */
  readonly times?: number;
}

/** The types of the resources that faults can be confined to by name. */
export const TYPES = {
  queue: 'AWS::SQS::Queue',
  table: 'AWS::DynamoDB::Table',
  bus: 'AWS::Events::EventBus',
  function: 'AWS::Lambda::Function',
} as const;

export type NameKind = keyof typeof TYPES;

/** Says what is expected, if the value is not that. */
export type Check = (value: unknown, names: Names) => string | undefined;

export interface Field {
  readonly check: Check;
  readonly isOptional: boolean;
}

/** The fields of a fault, beside those that all have. */
type Fields<F> = { readonly [K in Exclude<keyof F, 'on' | 'effect' | keyof Chance>]-?: Field };

/** By effect, for all that can go wrong with one thing. */
export type FieldsByEffect<F extends { readonly effect: string }> = {
  readonly [E in F['effect']]: Fields<Extract<F, { effect: E }>>;
};

/** The longest delay of SQS, which keeps the delayed ones (SQS API reference, SendMessage). */
const DELAY_MS_MAX = 900_000;

const expecting =
  (expected: string, isSound: (value: unknown) => boolean): Check =>
  (value) =>
    isSound(value) ? undefined : expected;

export const wholeNumber = (min: number, max: number): Check =>
  expecting(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  );

export const oneOf = (...values: readonly string[]): Check =>
  expecting(`one of ${values.join(', ')}`, (value) => values.includes(value as string));

export const text = expecting('a string', (value) => typeof value === 'string');

const isMs = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= DELAY_MS_MAX;

export const span = expecting(
  `whole milliseconds from 0 to ${DELAY_MS_MAX}, or two of them, [from, to]`,
  (value) =>
    isMs(value) || (Array.isArray(value) && value.length === 2 && value.every(isMs) && value[0] <= value[1]),
);

export const named =
  (kind: NameKind): Check =>
  (value, names) =>
    typeof value === 'string' && names.physicalNames(TYPES[kind], value).length > 0
      ? undefined
      : `the name of a ${kind} (${names.allPhysicalNames(TYPES[kind]).join(', ')}) or of a construct with one`;

export const required = (check: Check): Field => ({ check, isOptional: false });
export const optional = (check: Check): Field => ({ check, isOptional: true });

export const CHANCE: Readonly<Record<keyof Chance, Field>> = {
  rate: optional(
    expecting('a number above 0, up to 1', (value) => typeof value === 'number' && value > 0 && value <= 1),
  ),
  times: optional(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
};
