import type { IncomingMessage } from 'node:http';
import { statusText } from '../http/upgrade.ts';
import type { EventOrigin, Identity, Pairs } from './events.ts';
import type { RandomBytes } from './ids.ts';
import type { Integration } from './integration.ts';
import { GatewayError } from './replies.ts';

/** What `$connect` made of a handshake. */
export type Verdict = { readonly accepted: true; readonly subprotocol?: string } | Refusal;

export interface Refusal {
  readonly accepted: false;
  readonly status: number;
  readonly message: string;
}

export const refusal = (status: number, message: string): Refusal => ({ accepted: false, status, message });

const BAD_GATEWAY = refusal(502, GatewayError.internal);

/** A token of RFC 9110 §5.6.2, so that no header value of a Lambda can break out of its line. */
const TOKEN_PATTERN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Of white space it has only what HTTP knows. */
const ASCII_PATTERN = /^[\t\x20-\x7e]*$/;

/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY_PATTERN = /^[+/0-9A-Za-z]{22}==$/;

export function judge(connect: Integration): Verdict {
  if (connect === 'failed') return BAD_GATEWAY;
  // Captured of a REST API (floci-io/floci, resource policy enforcement, R8); of a handshake it is [inference].
  if (connect === 'denied') return refusal(500, GatewayError.internal);
  if (connect === 'timed out') return refusal(504, GatewayError.timedOut);
  const { statusCode: status, headers } = connect;
  if (status >= 300) return refusal(status, statusText(status));
  const subprotocol = headerNamed('sec-websocket-protocol', headers);
  if (subprotocol === undefined) return { accepted: true };
  return isToken(subprotocol) ? { accepted: true, subprotocol } : BAD_GATEWAY;
}

const headerNamed = (lowerName: string, headers: Readonly<Record<string, unknown>>): unknown =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === lowerName)?.[1];

const isToken = (value: unknown): value is string => typeof value === 'string' && TOKEN_PATTERN.test(value);

/**
 * The status that says what a WebSocket upgrade lacks to be a handshake (RFC 6455 §4.2.1), if anything. What `ws` would
 * refuse is refused here: it is asked only when `$connect` has already let the client in.
 */
export function handshakeFault({ headers }: IncomingMessage): number | undefined {
  const isHandshake =
    headers['sec-websocket-version'] === '13' &&
    KEY_PATTERN.test(headers['sec-websocket-key'] ?? '') &&
    areSubprotocols(headers['sec-websocket-protocol']);
  return isHandshake ? undefined : 400;
}

/** Tokens that are offered once each (RFC 6455 §4.1). */
function areSubprotocols(header: string | undefined): boolean {
  if (header === undefined) return true;
  const offered = header.split(',').map((token) => token.trim());
  return ASCII_PATTERN.test(header) && offered.every(isToken) && new Set(offered).size === offered.length;
}

export function identityOf({ headers, socket }: IncomingMessage): Identity {
  const userAgent = headers['user-agent'];
  const sourceIp = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  return userAgent === undefined ? { sourceIp } : { userAgent, sourceIp };
}

/** Hop-by-hop headers that captures of CONNECT events do not have, and those that the gateway sets itself. */
const NOT_FORWARDED = new Set([
  'connection',
  'upgrade',
  'x-amzn-trace-id',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/**
 * The headers of the CONNECT event: the client's own in their own case, then those that AWS adds. `Host` is the API's, as
 * in `domainName`: no client of the real gateway could have dialled another.
 */
export function forwardedHeaders(
  { rawHeaders, headers }: IncomingMessage,
  { source, connection, request }: EventOrigin,
  randomBytes: RandomBytes,
): Pairs {
  const hops = [headers['x-forwarded-for'] ?? [], connection.identity.sourceIp].flat();
  return [
    ...pairUp(rawHeaders)
      .filter(([name]) => !NOT_FORWARDED.has(name.toLowerCase()))
      .map(([name, value]) => [name, name.toLowerCase() === 'host' ? source.domainName : value] as const),
    ['X-Amzn-Trace-Id', traceId(request.receivedAt, randomBytes)],
    ['X-Forwarded-For', hops.join(', ')],
    // Clients of the real gateway always come through TLS, so handlers see these two whatever serves them here.
    ['X-Forwarded-Port', '443'],
    ['X-Forwarded-Proto', 'https'],
  ];
}

function pairUp(rawHeaders: readonly string[]): [string, string][] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
    rawHeaders[2 * index] ?? '',
    rawHeaders[2 * index + 1] ?? '',
  ]);
}

/** X-Ray's form: version, epoch seconds and 96 random bits, in hexadecimal. */
export function traceId(atMs: number, randomBytes: RandomBytes): string {
  const seconds = Math.floor(atMs / 1000);
  return `Root=1-${seconds.toString(16)}-${randomBytes(12).toString('hex')}`;
}
