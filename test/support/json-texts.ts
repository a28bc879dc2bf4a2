import fc from 'fast-check';
import type { DataJson } from '../../shared/protocol/json.ts';

/** As a publisher that has JSON.stringify would write it. */
export const dataJson = (value: unknown): DataJson => JSON.stringify(value) as DataJson;

/** What JSON.parse and JSON.stringify do not give back as it was, and what may lead a reader of the text astray. */
export const DELICATE_TEXTS = [
  ...['7615917337495251231', '1e400', '-0', '0.10', '1E+2', '12345678901234567890.12345678901234567890'],
  ...[`1${'0'.repeat(400)}`, '1e-99999', '"\\ud800"', '"\\u00E9\\/\\u0022"', '"\\\\"', '"]},\\"{["', '"🙂é"'],
  ...['{"b":1,"2":2,"1":3}', '{"a":1,"a":2}', '{"__proto__":1,"constructor":{}}', '{"":{"data":1}}'],
  ...['{ "data" : [ 1 ,\t2 ] }', '[\r\n1\r\n]', '{}', '[]', '[[],{}]', 'null', 'true', '""'],
];

/** The white space that may stand between any two tokens. */
export const spaceText = fc.stringMatching(/^[ \t\n\r]{0,2}$/);

const numberText = fc.stringMatching(/^-?(0|[1-9]\d{0,30})(\.\d{1,20})?([eE][+-]?\d{1,5})?$/);
const escapeText = fc.stringMatching(/^\\(["\\/bfnrt]|u[\da-fA-F]{4})$/);
/** Nothing that has to be escaped, and not what SQS refuses. */
const plainText = fc
  .string({ unit: 'binary', maxLength: 4 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they may not be in a JSON string
  .map((text) => text.replace(/["\\\u0000-\u001F\uFFFE\uFFFF]/g, ''));
export const stringText = fc
  .array(fc.oneof(plainText, plainText, escapeText), { maxLength: 4 })
  .map((parts) => `"${parts.join('')}"`);

/**
 * No key has a backslash in it once it is read: V8 13.6 takes the key `"\t"` for a backslash if it has read an object with
 * a key of just that in the same place.
 */
const keyText = fc.oneof(
  stringText.filter((text) => !JSON.parse(text).includes('\\')),
  fc.constantFrom('"data"', '"d\\u0061ta"', '"messages"', '"__proto__"', '"1"', '"0"'),
);
const spaced = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(spaceText, text, spaceText).map((parts) => parts.join(''));

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    numberText,
    numberText,
    stringText,
    fc.constantFrom(...DELICATE_TEXTS),
    fc.array(spaced(tie('value')), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(spaced(keyText), spaced(tie('value'))), { maxLength: 4 })
      .map((members) => `{${members.map((pair) => pair.join(':')).join(',')}}`),
  ),
}));

/** Any JSON, written in any way, without white space around it. */
export const jsonText: fc.Arbitrary<string> = value;

/** The text of an object, and of its members in order. */
export const objectText = fc
  .array(
    fc.record({ key: keyText, text: jsonText, spaces: fc.array(spaceText, { minLength: 4, maxLength: 4 }) }),
    {
      maxLength: 5,
    },
  )
  .map((members) => ({
    members,
    json: ` {${members.map(({ key, text, spaces: [a, b, c, d] }) => `${a}${key}${b}:${c}${text}${d}`).join(',')}} `,
  }));
