import { describe, expect, it } from 'vitest';
import { type HandshakeEvent, tokenOf } from '../../../shared/auth/token.ts';

const headers = (...pairs: readonly (readonly [string, string])[]): HandshakeEvent => ({
  multiValueHeaders: Object.fromEntries(
    pairs.map(([name]) => [name, pairs.flatMap(([n, v]) => (n === name ? v : []))]),
  ),
});
const query = (...token: string[]): HandshakeEvent => ({ multiValueQueryStringParameters: { token } });

const read = (event: HandshakeEvent, queryToken = false) => tokenOf(event, { queryToken });
const faultOf = (event: HandshakeEvent, queryToken = false): unknown => {
  try {
    return { token: read(event, queryToken) };
  } catch (error) {
    return (error as { fault?: unknown }).fault;
  }
};

describe('a token is read', () => {
  it.each([
    ['a protocol', headers(['Sec-WebSocket-Protocol', 'fanwire, bearer.a.b.c'])],
    ['the first protocol', headers(['sec-websocket-protocol', 'bearer.a.b.c,fanwire'])],
    [
      'one of two lists of protocols',
      headers(['SEC-WEBSOCKET-PROTOCOL', 'fanwire'], ['SEC-WEBSOCKET-PROTOCOL', 'bearer.a.b.c']),
    ],
    ['Authorization', headers(['Authorization', 'Bearer a.b.c'])],
    ['a protocol in another case', headers(['Sec-WebSocket-Protocol', 'fanwire, BEARER.a.b.c'])],
    ['Authorization in another case', headers(['aUTHORIZATION', 'bEARER   a.b.c '])],
  ])('from %s', (_, event) => {
    expect(read(event)).toBe('a.b.c');
  });

  it('from the query, only if that is allowed', () => {
    expect(read(query('a.b.c'), true)).toBe('a.b.c');
    expect(faultOf(query('a.b.c'))).toBe('not_allowed_in_query');
    expect(faultOf(query(''))).toBe('not_allowed_in_query');
  });
});

it.each([
  ['nothing', {}],
  ['other headers', headers(['Cookie', 'token=a'], ['X-Authorization', 'Bearer a'])],
  ['other protocols', headers(['Sec-WebSocket-Protocol', 'fanwire, graphql-ws, xbearer.a, bearer'])],
  ['other parameters', { multiValueQueryStringParameters: { tokens: ['a'], userId: ['b'] } }],
])('there is none in %s', (_, event) => {
  expect(read(event)).toBeUndefined();
});

describe('two tokens are refused', () => {
  const both = headers(['Authorization', 'Bearer a'], ['Sec-WebSocket-Protocol', 'bearer.a']);
  it.each([
    ['in two headers, though they are the same', both],
    [
      'in two headers that differ in case',
      headers(['Authorization', 'Bearer a'], ['authorization', 'Bearer b']),
    ],
    ['in one header twice', headers(['Authorization', 'Bearer a'], ['Authorization', 'Bearer b'])],
    ['in one list of protocols', headers(['Sec-WebSocket-Protocol', 'fanwire, bearer.a, bearer.b'])],
    ['in the query', query('a', 'b')],
    ['in the query and a header', { ...headers(['Authorization', 'Bearer a']), ...query('a') }],
    ['in the query, one of them empty', query('', 'b')],
    ['and one of them empty', headers(['Authorization', 'Bearer'], ['Sec-WebSocket-Protocol', 'bearer.a'])],
  ])('%s', (_, event) => {
    expect(faultOf(event, true)).toBe('several_tokens');
  });
});

describe('what looks like a token is refused, not passed over', () => {
  it.each([
    ['another scheme', headers(['Authorization', 'Basic YTpi']), 'unknown_scheme'],
    ['no scheme', headers(['Authorization', 'a.b.c']), 'unknown_scheme'],
    ['more than a token', headers(['Authorization', 'Bearer a b']), 'unknown_scheme'],
    ['two in one value', headers(['Authorization', 'Bearer a, Bearer b']), 'unknown_scheme'],
    ['an empty header', headers(['Authorization', '']), 'unknown_scheme'],
    ['an empty token', headers(['Authorization', 'Bearer ']), 'malformed'],
    ['an empty protocol', headers(['Sec-WebSocket-Protocol', 'fanwire, bearer.']), 'malformed'],
    ['an empty parameter', query(''), 'malformed'],
    ['too long a token', headers(['Authorization', `Bearer ${'x'.repeat(8_193)}`]), 'too_long'],
  ])('%s', (_, event, fault) => {
    expect(faultOf(event, true)).toBe(fault);
  });
});

describe('what API Gateway has no list of texts for', () => {
  it.each([
    ['no headers', { multiValueHeaders: null }],
    ['no parameters', { multiValueQueryStringParameters: null }],
    ['a header without values', { multiValueHeaders: { Authorization: null } }],
  ])('is nothing: %s', (_, event) => {
    expect(tokenOf(event as never, { queryToken: true })).toBeUndefined();
  });

  it.each([
    ['a number', { multiValueHeaders: { Authorization: [7] } }],
    ['null among values', { multiValueHeaders: { 'Sec-WebSocket-Protocol': ['fanwire', null] } }],
    ['a list in a list', { multiValueQueryStringParameters: { token: [['a']] } }],
  ])('is refused: %s', (_, event) => {
    expect(faultOf(event as never, true)).toBe('malformed');
  });
});
