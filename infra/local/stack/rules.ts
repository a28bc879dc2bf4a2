/** What the local engines do with a property of a resource: see `check.ts`. */
export type Rule =
  /** An engine acts on it. */
  | { readonly kind: 'honoured' }
  /** No engine looks at it, and here is why that does no harm. */
  | { readonly kind: 'ignored'; readonly because: string }
  /** An engine acts on these values of it. */
  | {
      readonly kind: 'limited';
      readonly expected: string;
      readonly accepts: (value: unknown) => boolean;
      readonly hint?: string | undefined;
    }
  | { readonly kind: 'unsupported'; readonly hint: string };

/** By property; a dot leads into an object, or into the objects of a list. What is not named is not supported. */
export type Rules = Readonly<Record<string, Rule>>;

/** An engine acts on it. */
export const honoured: Rule = { kind: 'honoured' };

/** No engine looks at it, because that does no harm. */
export const ignored = (because: string): Rule => ({ kind: 'ignored', because });

/** It keeps a template from running; the hint says what to do about it. */
export const unsupported = (hint: string): Rule => ({ kind: 'unsupported', hint });

/** It must have this value. */
export const only = (value: string | boolean, hint?: string): Rule => ({
  kind: 'limited',
  expected: JSON.stringify(value),
  accepts: (actual) => String(actual) === String(value),
  hint,
});

/** As text it must match. */
export const matching = (pattern: RegExp, expected: string, hint?: string): Rule => ({
  kind: 'limited',
  expected,
  accepts: (actual) => pattern.test(String(actual)),
  hint,
});

/** It must be a list of which everything matches. */
export const everyMatching = (pattern: RegExp, expected: string): Rule => ({
  kind: 'limited',
  expected,
  accepts: (actual) => Array.isArray(actual) && actual.every((item) => pattern.test(String(item))),
});

/** It must be a number of at least that. */
export const atLeast = (min: number, hint?: string): Rule => ({
  kind: 'limited',
  expected: `a number of at least ${min}`,
  accepts: (actual) => Number(actual) >= min,
  hint,
});

/** Reasons that many properties have in common. */
export const label = ignored('It is for people to read.');
export const encryption = ignored('Local state is not encrypted.');
export const capacity = ignored('Local engines do not throttle.');
export const monitoring = ignored('There is no CloudWatch or X-Ray here; log lines go to the terminal.');
export const noSafetyNet = ignored('Local state can be made again.');

export const tags: Rules = { Tags: label };
