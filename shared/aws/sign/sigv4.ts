import { HmacKey } from './hmac-key.ts';

/**
 * What all signatures of version 4 have in common, see
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
 * The local runtime verifies signatures with code of its own, on purpose: shared code would agree with its own mistakes.
 */

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** The time as it is signed: `20240120T115508Z`. */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');

/** `20240120/eu-west-1/dynamodb/aws4_request`. */
export const scopeOf = (time: string, region: string, service: string): string =>
  `${time.slice(0, 8)}/${region}/${service}/aws4_request`;

/** The key that signs for a day, in one region, to one service. */
export function signingKey({ secretAccessKey }: Credentials, scope: string): HmacKey {
  let key = new HmacKey(Buffer.from(`AWS4${secretAccessKey}`));
  for (const part of scope.split('/')) key = new HmacKey(key.sign(part));
  return key;
}

/** As the SDK encodes a label: RFC 3986, which spares fewer characters than encodeURIComponent. */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The path as sent, encoded once more but for its slashes: `@` becomes `%40`, and `%3D` becomes `%253D`. */
export const canonicalPath = (path: string): string =>
  encode(path.replace(/\/{2,}/g, '/')).replaceAll('%2F', '/');

export const canonicalValue = (value: string): string => value.trim().replace(/\s+/g, ' ');
