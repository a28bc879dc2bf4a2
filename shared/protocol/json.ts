const encoder = new TextEncoder();

/** How long a text is in UTF-8. */
export const bytesOf = (text: string): number => encoder.encode(text).length;

/**
 * JSON that SQS takes: U+FFFE and U+FFFF are legal in JSON strings but not in an SQS message body
 * (API reference, SendMessage), where one of them would make the whole message undeliverable.
 */
export const toQueueJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\uFFFE\uFFFF]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);

/** Text that SQS takes, in a body or an attribute: what it does not take is replaced, as it is where text is decoded. */
export const toQueueText = (text: string): string =>
  text.toWellFormed().replace(/[^\t\n\r\u{20}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD');

/** Whether a value is what JSON calls an object. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
