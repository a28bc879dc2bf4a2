import type { AuthorizerEvent } from '../lambda/events.ts';
import { TOKEN_LENGTH_MAX } from '../protocol/frames.ts';
import { Fault, TokenError } from './errors.ts';

/** A WebSocket in a browser sends no headers but this, so the token poses as a protocol. */
export const PROTOCOL_HEADER = 'Sec-WebSocket-Protocol';
/** What is spoken here: a client that offers protocols has to be answered with one of them (RFC 6455, 4.1). */
export const SUBPROTOCOL = 'fanwire';
const PROTOCOL_PREFIX = 'bearer.';

type Values = HandshakeEvent['multiValueHeaders'];
/** Every header and parameter is in it with all its values. */
export type HandshakeEvent = Pick<AuthorizerEvent, 'multiValueHeaders' | 'multiValueQueryStringParameters'>;

/**
 * The token that a client connects with; undefined if it has none. Two are refused even if they are the same, because
 * which of them counts must never depend on who reads them, and so is what looks like a token but cannot be taken:
 * otherwise its bearer would be somebody without one.
 */
export function tokenOf(
  event: HandshakeEvent,
  { queryToken }: { readonly queryToken: boolean },
): string | undefined {
  const inQuery = queryValues(event, 'token');
  if (inQuery.length > 0 && !queryToken) throw new TokenError(Fault.notAllowed);
  const inHeader = valuesOf(event.multiValueHeaders, 'authorization').map(bearerOf);
  const tokens = [...inHeader, ...protocolTokens(event), ...inQuery];
  if (tokens.length > 1) throw new TokenError(Fault.several);
  const [token] = tokens;
  if (token === '') throw new TokenError(Fault.malformed);
  if (token !== undefined && token.length > TOKEN_LENGTH_MAX) throw new TokenError(Fault.tooLong);
  return token;
}

/** Everything that a parameter of that name has been given. */
export const queryValues = (
  { multiValueQueryStringParameters = {} }: HandshakeEvent,
  lowerName: string,
): readonly string[] => valuesOf(multiValueQueryStringParameters, lowerName);

/** API Gateway hands headers on in the case that the client wrote them in. Where there are none it may write null. */
const valuesOf = (values: Values | null, lowerName: string): readonly string[] =>
  Object.entries(values ?? {}).flatMap(([name, each]) =>
    name.toLowerCase() === lowerName ? [each ?? []].flat().map(expectText) : [],
  );

function expectText(value: unknown): string {
  if (typeof value !== 'string') throw new TokenError(Fault.malformed);
  return value;
}

/** The subprotocols that a client offers. */
export const protocolsOf = ({ multiValueHeaders }: Pick<HandshakeEvent, 'multiValueHeaders'>): string[] =>
  valuesOf(multiValueHeaders, PROTOCOL_HEADER.toLowerCase())
    .flatMap((list) => list.split(','))
    .map((protocol) => protocol.trim());

const protocolTokens = (event: HandshakeEvent): readonly string[] =>
  protocolsOf(event)
    .filter((protocol) => protocol.toLowerCase().startsWith(PROTOCOL_PREFIX))
    .map((protocol) => protocol.slice(PROTOCOL_PREFIX.length));

/** RFC 6750, section 2.1; the scheme is in any case (RFC 9110, section 11.1). */
function bearerOf(value: string): string {
  const [scheme = '', ...rest] = value.trim().split(/ +/);
  if (scheme.toLowerCase() !== 'bearer' || rest.length > 1) throw new TokenError(Fault.scheme);
  return rest[0] ?? '';
}
