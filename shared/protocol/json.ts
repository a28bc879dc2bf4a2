import type { WireMessage } from './frames.ts';

const encoder = new TextEncoder();

declare const dataBrand: unique symbol;

/**
 * The text of published data, as its publisher wrote it and without white space around it: read into a value and written
 * anew, numbers would lose digits and members their order. It is fit for SQS, see `escapedForQueue`.
 */
export type DataJson = string & { readonly [dataBrand]: true };

/** How long a text is in UTF-8. */
export const bytesOf = (text: string): number => encoder.encode(text).length;

/**
 * JSON that SQS takes: U+FFFE and U+FFFF are legal in JSON strings but not in an SQS message body
 * (API reference, SendMessage), where one of them would make the whole message undeliverable. They become escapes, and
 * nothing else is changed.
 */
export const escapedForQueue = (json: string): string =>
  json.replace(/[\uFFFE\uFFFF]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);

/** A value written out as SQS takes it. */
export const toQueueJson = (value: unknown): string => escapedForQueue(JSON.stringify(value));

/** A message written out, with the text of its data in it. */
export const messageJson = ({ data, ...rest }: WireMessage<DataJson>): string =>
  `${JSON.stringify(rest).slice(0, -1)},"data":${data}}`;

/** Text that SQS takes, in a body or an attribute: what it does not take is replaced, as it is where text is decoded. */
export const toQueueText = (text: string): string =>
  text.toWellFormed().replace(/[^\t\n\r\u{20}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD');

/** Whether a value is what JSON calls an object. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
