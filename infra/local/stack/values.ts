export type Values = Readonly<Record<string, unknown>>;

const SHOWN_LENGTH_MAX = 120;

/** Something in a template that cannot be read; it becomes a `Problem` of the resource it stands in. */
export class ValueError extends Error {}

/** CloudFormation is lenient with scalars: `10` and `"10"` are the same text. */
export function toText(value: unknown, what: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw new ValueError(`expected ${what} to be a text, got ${show(value)}`);
}

/** A value for an error message. */
export function show(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length <= SHOWN_LENGTH_MAX ? json : `${json.slice(0, SHOWN_LENGTH_MAX)}…`;
}
