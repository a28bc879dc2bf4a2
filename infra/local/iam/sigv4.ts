import { hash } from 'node:crypto';
import type { HttpRequest } from '../http/engine.ts';
import { lastOf } from '../last.ts';
import { KeyedHash } from './hmac.ts';

/**
 * AWS Signature Version 4, the receiving side: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.
 * Texts of faults are AWS's own.
 *
 * It shares nothing with `shared/aws/sign/`, which signs what Fanwire sends, though both follow the same pages: with code
 * in common a mistake of the signer would be right here, and be found on AWS.
 */

/** What the Authorization header says. */
interface Authorization {
  readonly accessKeyId: string;
  /** `20240120`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Names in lower case with `;` between them. */
  readonly signedHeaders: string;
  readonly signature: string;
}

/** What a request is checked against. */
interface Expected {
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: string;
  readonly nowMs: number;
}

/** `incomplete`: the header lacks something. `invalid`: it is there, and wrong. */
interface SignatureFault {
  readonly kind: 'incomplete' | 'invalid';
  readonly message: string;
}

/** AWS is said to allow 5 minutes; what its errors show is 15 (aioboto3#326). */
const SKEW_MINUTES_MAX = 15;
const SKEW_MS_MAX = SKEW_MINUTES_MAX * 60_000;
/** A key for every secret, day and service: few, unless somebody tries secrets. */
const SIGNING_KEYS_MAX = 1_000;

const ALGORITHM = 'AWS4-HMAC-SHA256';
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
  'and signing method. Consult the service documentation for details.';

const invalid = (message: string): SignatureFault => ({ kind: 'invalid', message });
const incomplete = (message: string): SignatureFault => ({ kind: 'incomplete', message });

/** As every client writes it, up to the signature. */
const USUAL =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=$/;
const HEX = /^[0-9a-f]+$/;

export function parseAuthorization(header: string): Authorization | SignatureFault {
  const end = header.lastIndexOf('=') + 1;
  const claim = claimOf(header.slice(0, end));
  const signature = header.slice(end);
  return claim && HEX.test(signature) ? { ...claim, signature } : faultOf(header);
}

/** All but the signature: the same for all that a client asks of a service in one day. */
const claimOf = lastOf((text: string): Omit<Authorization, 'signature'> | undefined => {
  const [, accessKeyId, date, region, service, signedHeaders] = USUAL.exec(text) ?? [];
  if (!accessKeyId || !date || !region || !service || !signedHeaders) return undefined;
  return { accessKeyId, date, region, service, signedHeaders };
});

function faultOf(header: string): SignatureFault {
  if (!header.startsWith(`${ALGORITHM} `)) {
    return incomplete(`Unsupported AWS 'algorithm': '${header.split(' ', 1)[0]}'. Authorization=${header}`);
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !header.includes(`${name}=`));
  if (missing.length > 0) {
    const texts = missing.map((name) => `Authorization header requires '${name}' parameter. `);
    return incomplete(`${texts.join('')}Authorization=${header}`);
  }
  const [, credential = ''] = /Credential=([^, ]*)/.exec(header) ?? [];
  return incomplete(
    `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
  );
}

/** Whether the request was signed with this secret, for here and now; its body has been read. */
export function verify(
  request: HttpRequest,
  body: Buffer,
  authorization: Authorization,
  expected: Expected,
): SignatureFault | undefined {
  const time = timeOf(request);
  if (typeof time !== 'string') return time;
  const fault = faultOfScope(authorization, expected, time) ?? faultOfTime(time, expected.nowMs);
  if (fault) return fault;
  const { date, region, service, signature, signedHeaders } = authorization;
  if (!`;${signedHeaders};`.includes(';host;')) {
    return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  const scope = `${date}/${region}/${service}/aws4_request`;
  const canonical = hash('sha256', canonicalRequest(request, body, authorization));
  const signed = signingKey({ secretAccessKey: expected.secretAccessKey, scope }).sign(
    `${ALGORITHM}\n${time}\n${scope}\n${canonical}`,
    'hex',
  );
  // Not in constant time: only this machine could measure it, and it has the secrets anyway.
  return signed === signature ? undefined : invalid(MISMATCH);
}

function timeOf({ headers }: HttpRequest): string | SignatureFault {
  const time = headers['x-amz-date'] ?? headers.date;
  if (typeof time !== 'string') {
    return incomplete(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
        `Authorization=${headers.authorization}`,
    );
  }
  if (/^\d{8}T\d{6}Z$/.test(time)) return time;
  return incomplete(
    `Date must be in ISO-8601 'basic format'. Got '${time}'. See http://en.wikipedia.org/wiki/ISO_8601`,
  );
}

function faultOfScope(
  { date, region, service }: Authorization,
  expected: Expected,
  time: string,
): SignatureFault | undefined {
  if (region !== expected.region)
    return invalid(`Credential should be scoped to a valid region, not '${region}'. `);
  if (service !== expected.service)
    return invalid(`Credential should be scoped to correct service: '${expected.service}'. `);
  if (time.startsWith(date)) return undefined;
  return invalid(
    'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
      `'${date}' != '${time.slice(0, 8)}', from '${time}'.`,
  );
}

function faultOfTime(time: string, nowMs: number): SignatureFault | undefined {
  const timeMs = msOf(time);
  const nowSecondMs = nowMs - (nowMs % 1000); // signatures are dated to the second
  if (timeMs < nowSecondMs - SKEW_MS_MAX) {
    const [now, limit] = [basic(nowMs), basic(nowMs - SKEW_MS_MAX)];
    return invalid(
      `Signature expired: ${time} is now earlier than ${limit} (${now} - ${SKEW_MINUTES_MAX} min.)`,
    );
  }
  if (timeMs > nowSecondMs + SKEW_MS_MAX) {
    const [now, limit] = [basic(nowMs), basic(nowMs + SKEW_MS_MAX)];
    return invalid(
      `Signature not yet current: ${time} is still later than ${limit} (${now} + ${SKEW_MINUTES_MAX} min.)`,
    );
  }
  return undefined;
}

/** Many posts are signed in the same second. */
const msOf = lastOf((time: string): number => {
  const part = (start: number, end: number): number => Number(time.slice(start, end));
  return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(9, 11), part(11, 13), part(13, 15));
});

/** `20240120T115508Z`. */
const basic = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');

function canonicalRequest(
  { method, url = '/', headers }: HttpRequest,
  body: Buffer,
  { service, signedHeaders }: Authorization,
): string {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const query = question < 0 ? '' : canonicalQuery(url.slice(question + 1));
  const head = canonicalHeaders({ names: namesOf(signedHeaders), headers });
  const payload = payloadHash(headers['x-amz-content-sha256'], body, service);
  return `${method}\n${canonicalPath(path, service)}\n${query}\n${head}\n${signedHeaders}\n${payload}`;
}

const namesOf = lastOf((signedHeaders: string): readonly string[] => signedHeaders.split(';'));

interface SignedHeaders {
  readonly names: readonly string[];
  readonly headers: HttpRequest['headers'];
}

/** Posts of one second differ in their path and nothing else that is signed. */
const canonicalHeaders = lastOf(
  ({ names, headers }: SignedHeaders): string =>
    names.map((name) => `${name}:${canonicalValue(headers[name])}\n`).join(''),
  (a, b) => a.names === b.names && a.names.every((name) => a.headers[name] === b.headers[name]),
);

/**
 * The path as it was sent, encoded once more: `%3D` becomes `%253D`. S3, where a key may be anything, takes it as it is.
 * Written as @smithy/signature-v4 has it, which drops empty segments and resolves `.` and `..`.
 */
function canonicalPath(path: string, service: string): string {
  if (service === 's3') return path;
  if (PLAIN_PATH.test(path)) return path.replaceAll('%', '%25').replaceAll('@', '%40');
  const normal = /\/(?:\/|\.\.?(?:\/|$))/.test(path) ? normalise(path) : path;
  return escapeUri(normal).replaceAll('%2F', '/');
}

/** No segment begins with a dot or is empty, and nothing but `%` and `@` needs to be encoded. */
const PLAIN_PATH = /^(?:\/[\w~@%-][\w.~@%-]*)+$/;

function normalise(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [escapeUri(unescapeUri(name)), escapeUri(unescapeUri(value))] as const;
    })
    .sort(([aName, aValue], [bName, bValue]) => compare(aName, bName) || compare(aValue, bValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** By code unit: `localeCompare` would not. */
const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const escapeUri = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function unescapeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text; // no client signs it; it only has to give some signature
    throw error;
  }
}

function canonicalValue(value: string | string[] | undefined): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? value : value.join(',');
  return /[ \t]{2}|^\s|\t|\s$/.test(text) ? text.replace(/[ \t]+/g, ' ').trim() : text;
}

/**
 * Always the hash of what came, whatever the header says of it: a signer that hashed something else has another
 * signature. S3 alone lets a client leave the payload out.
 */
const payloadHash = (header: string | string[] | undefined, body: Buffer, service: string): string =>
  service === 's3' && header === UNSIGNED_PAYLOAD ? UNSIGNED_PAYLOAD : hashOf(body);

/** Cached, because the same message is posted to many connections one after the other. */
const hashOf = lastOf(
  (body: Buffer): string => hash('sha256', body),
  (a, b) => a.equals(b),
);

const signingKeys = new Map<string, KeyedHash>();

interface Signing {
  readonly secretAccessKey: string;
  readonly scope: string;
}

const signingKey = lastOf(
  ({ secretAccessKey, scope }: Signing): KeyedHash => knownKey(secretAccessKey, scope),
  (a, b) => a.secretAccessKey === b.secretAccessKey && a.scope === b.scope,
);

function knownKey(secretAccessKey: string, scope: string): KeyedHash {
  const name = `${secretAccessKey}/${scope}`;
  const known = signingKeys.get(name);
  if (known) return known;
  if (signingKeys.size >= SIGNING_KEYS_MAX) signingKeys.clear();
  const key = scope
    .split('/')
    .reduce(
      (secret, part) => new KeyedHash(secret.sign(part, 'buffer')),
      new KeyedHash(`AWS4${secretAccessKey}`),
    );
  signingKeys.set(name, key);
  return key;
}
