import { isRecord } from '../../../../shared/protocol/json.ts';

/** What a client gets. Names of headers are in lower case. */
export interface HttpApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: string | Buffer;
}

/** RFC 9110 §5.6.2 and §5.5, so that no value of a function can break out of its line. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The gateway's own to say. */
const NOT_HANDED_ON = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** Of what says nothing of its content: [inference]. */
const CONTENT_TYPE_DEFAULT = 'text/plain;charset=UTF-8';

/**
 * Reads what a function returns in payload format 2.0. Without a `statusCode` all of it is a JSON body, with status 200
 * (developer guide, "Lambda function response format"). Undefined if it is of no use; what the guide does not
 * show is refused, so that what passes here does not fail there: [inference].
 */
export function parseResponse(payload: unknown): HttpApiResponse | undefined {
  if (!isRecord(payload) || payload.statusCode === undefined) return inferred(payload);
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = payload;
  const fields = headersOf(headers);
  const isGood =
    isFinalStatus(statusCode) &&
    isTexts(cookies) &&
    typeof body === 'string' &&
    typeof isBase64Encoded === 'boolean';
  if (!fields || !isGood) return undefined;
  return {
    status: statusCode,
    headers: { 'content-type': CONTENT_TYPE_DEFAULT, ...fields },
    cookies,
    body: isBase64Encoded ? Buffer.from(body, 'base64') : body,
  };
}

/** A text is the body as it is. */
const inferred = (payload: unknown): HttpApiResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  cookies: [],
  body: typeof payload === 'string' ? payload : JSON.stringify(payload ?? null),
});

function headersOf(headers: unknown): Record<string, string> | undefined {
  if (!isRecord(headers)) return undefined;
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const areGood = entries.every(
    ([name, value]) => NAME.test(name) && isScalar(value) && VALUE.test(String(value)),
  );
  if (!areGood) return undefined;
  return Object.fromEntries(
    entries.filter(([name]) => !NOT_HANDED_ON.has(name)).map(([name, value]) => [name, String(value)]),
  );
}

const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && VALUE.test(item));

/** 1xx announce another response: as the only one they would leave the client waiting. */
const isFinalStatus = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 599;
