import { describe, expect, it } from 'vitest';
import { parseAuth } from '../../../shared/auth/settings.ts';

const ISSUER = { issuer: 'https://issuer.example', audience: 'app' };

it('nobody may anything by default', () => {
  expect(parseAuth({})).toEqual({
    ...{ issuers: [], grants: false, queryToken: false, tickets: false, rights: {}, anonymous: {} },
  });
});

it('takes what is right, and takes what it has made', () => {
  const auth = parseAuth({
    issuers: [
      ISSUER,
      {
        issuer: 'http://localhost:8080/realm',
        audience: ['a', 'b'],
        jwksUri: 'https://keys.example/k?v=1',
        userPrefix: 'b:',
      },
      {
        issuer: 'https://third.example/',
        audience: 'a',
        algorithms: ['ES256'],
        rightsClaim: true,
        userPrefix: 'c',
      },
    ],
    grants: true,
    queryToken: true,
    tickets: { allowOrigins: ['https://app.example.com', 'http://localhost:3000'] },
    rights: { 'inbox/{sub}/*': ['subscribe'] },
    anonymous: { 'news/*': ['subscribe'] },
  });
  expect(auth.issuers[0]).toEqual({ ...ISSUER, audience: ['app'], rightsClaim: false });
  expect(parseAuth(JSON.parse(JSON.stringify(auth)))).toEqual(auth);
});

it.each([
  [true, { allowOrigins: [] }],
  [{ allowOrigins: [] }, { allowOrigins: [] }],
  [{ allowOrigins: ['*'] }, { allowOrigins: ['*'] }],
  [false, false],
])('tickets: %j are %j', (tickets, complete) => {
  const auth = parseAuth({ grants: true, tickets });
  expect(auth.tickets).toEqual(complete);
  expect(parseAuth(JSON.parse(JSON.stringify(auth)))).toEqual(auth);
});

describe('refuses', () => {
  it.each([
    ['what is no object', []],
    ['a field that it does not know', { issuer: ISSUER }],
    ['tickets without tokens that they are for', { tickets: true }],
    ['tickets that are neither on nor off', { grants: true, tickets: 'yes' }],
    ['tickets with another field', { grants: true, tickets: { origins: [] } }],
    ['tickets for pages without a list of them', { grants: true, tickets: {} }],
    ['pages by a name', { grants: true, tickets: { allowOrigins: ['app.example.com'] } }],
    ['pages with a path', { grants: true, tickets: { allowOrigins: ['https://app.example.com/'] } }],
    ['a switch that is none', { grants: 'yes' }],
    ['rights that are none', { rights: { 'a b': ['subscribe'] } }],
    ['placeholders for those without a token', { anonymous: { 'inbox/{sub}': ['subscribe'] } }],
    ['the same issuer twice', { issuers: [ISSUER, ISSUER] }],
    ['issuers that are no list', { issuers: ISSUER }],
    [
      'more than 10 issuers',
      {
        issuers: Array.from({ length: 11 }, (_, i) => ({
          ...ISSUER,
          issuer: `https://a${i}`,
          userPrefix: `${i}:`,
        })),
      },
    ],
  ])('%s', (_, value) => {
    expect(() => parseAuth(value)).toThrow(/^expected .*, got /);
  });

  it.each([
    ['without a URL', { issuer: 'issuer.example' }],
    ['with our own name', { issuer: 'fanwire' }],
    ['without TLS', { issuer: 'http://issuer.example' }],
    ['without TLS, that only looks local', { issuer: 'http://localhost.evil.example' }],
    ['with a user in its URL', { issuer: 'https://a:b@issuer.example' }],
    ['with a query', { issuer: 'https://issuer.example?a=b' }],
    ['with a fragment', { issuer: 'https://issuer.example#a' }],
    ['with an empty query', { issuer: 'https://issuer.example?' }],
    ['with an empty fragment', { issuer: 'https://issuer.example#' }],
    ['with keys at an empty fragment', { jwksUri: 'https://issuer.example/keys#' }],
    ['without an audience', { audience: undefined }],
    ['with an empty audience', { audience: '' }],
    ['with no audiences', { audience: [] }],
    ['with keys without TLS', { jwksUri: 'http://issuer.example/keys' }],
    ['with an unsigned algorithm', { algorithms: ['none'] }],
    ['with a symmetric algorithm', { algorithms: ['RS256', 'HS256'] }],
    ['with no algorithms', { algorithms: [] }],
    ['with an unknown field', { clientId: 'a' }],
    ['whose word may count', { rightsClaim: 'yes' }],
    ['with an empty prefix', { userPrefix: '' }],
    ['with a prefix that would be escaped', { userPrefix: 'a|' }],
    ['with a prefix that looks escaped', { userPrefix: 'a~7C' }],
    ['with a prefix that leaves no room', { userPrefix: 'a'.repeat(65) }],
  ])('an issuer %s', (_, fields) => {
    expect(() => parseAuth({ issuers: [{ ...ISSUER, ...fields }] })).toThrow(/^expected .*, got /);
  });
});

it('tells users of several issuers apart, or refuses them', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ ...ISSUER, issuer: `https://${name}.example` }));
  const refusal = /^expected several auth\.issuers to have a userPrefix each, .*, got /;
  expect(() => parseAuth({ issuers: [a, b] })).toThrow(refusal);
  expect(() => parseAuth({ issuers: [a, { ...b, userPrefix: 'b:' }, c] })).toThrow(refusal);
  expect(() =>
    parseAuth({
      issuers: [
        { ...a, userPrefix: 'x:' },
        { ...b, userPrefix: 'x:' },
      ],
    }),
  ).toThrow(refusal);
  expect(parseAuth({ issuers: [a, { ...b, userPrefix: 'b:' }] }).issuers).toHaveLength(2);
  expect(parseAuth({ issuers: [{ ...a, userPrefix: 'a:' }] }).issuers).toHaveLength(1);
});
