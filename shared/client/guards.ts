import { isRecord } from '../protocol/json.ts';

/** Whether a value of JSON is a T. */
export type Guard<T> = (value: unknown) => value is T;

export const is =
  <const V>(expected: V): Guard<V> =>
  (value): value is V =>
    value === expected;

export const isString = (value: unknown): value is string => typeof value === 'string';
export const isAbsent = is(undefined);
export const isPresent = (value: unknown): value is unknown => value !== undefined;

/** A whole number that is not below `min`, and that can be counted on from. */
export const isCountFrom =
  (min: number): Guard<number> =>
  (value): value is number =>
    Number.isSafeInteger(value) && (value as number) >= min;

export const either =
  <A, B>(a: Guard<A>, b: Guard<B>): Guard<A | B> =>
  (value): value is A | B =>
    a(value) || b(value);

export const both =
  <A, B>(a: Guard<A>, b: Guard<B>): Guard<A & B> =>
  (value): value is A & B =>
    a(value) && b(value);

export const optional = <T>(guard: Guard<T>): Guard<T | undefined> => either(isAbsent, guard);

export const listOf =
  <T>(guard: Guard<T>): Guard<readonly T[]> =>
  (value): value is readonly T[] =>
    Array.isArray(value) && value.every(guard);

/** An object with these fields, and whatever others: there may be more of them one day. */
export function shaped<T extends object>(fields: { readonly [K in keyof T]-?: Guard<T[K]> }): Guard<T> {
  const guards = Object.entries<Guard<unknown>>(fields);
  return (value): value is T => isRecord(value) && guards.every(([name, guard]) => guard(value[name]));
}
