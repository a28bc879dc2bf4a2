import { describe, expect, it } from 'vitest';
import { assemble } from '../../../services/authorize/assemble.ts';
import { authorize } from '../../../services/authorize/authorize.ts';
import { type GrantOptions, grant } from '../../../shared/auth/grants.ts';
import { type AuthSettings, parseAuth } from '../../../shared/auth/settings.ts';
import type { HandshakeEvent } from '../../../shared/auth/token.ts';
import type { Rights } from '../../../shared/protocol/rights.ts';
import { AUDIENCE, CLAIMS, FakeIssuer, ISSUER, NOW_MS, signingKey, webDeps } from '../../support/issuer.ts';

const API = 'https://api.example/prod';
const SECRET = 'secret'.padEnd(32, '.');
const ANONYMOUS = { 'news/*': ['subscribe'] } as const;
const SETTINGS: AuthSettings = {
  issuers: [{ issuer: ISSUER, audience: AUDIENCE }],
  grants: true,
  rights: { 'inbox/{sub}/*': ['subscribe'] },
  anonymous: ANONYMOUS,
};
const key = signingKey('key');
const now = () => NOW_MS;

const bearing = (token: string): HandshakeEvent => ({
  multiValueHeaders: { 'Sec-WebSocket-Protocol': [`fanwire, bearer.${token}`] },
});
const granted = (options: Partial<GrantOptions> = {}): Promise<string> =>
  grant({ userId: 'alice', rights: {}, expiresIn: 60, ...options } as GrantOptions, {
    ...{ secret: SECRET, audience: API, now, newId: () => 'id-1' },
  });

function verdictOf(
  event: HandshakeEvent,
  settings: Partial<AuthSettings> = {},
  issuer = new FakeIssuer(key),
) {
  const clients = {
    ...webDeps(issuer.fetch),
    secrets: async () => ({ current: SECRET }),
    tickets: async () => ({ take: async () => undefined }),
  };
  const auth = parseAuth({ ...SETTINGS, ...settings });
  return authorize(
    event,
    assemble({ auth, issuers: [], audience: API, accessTable: 'access' }, clients, { now }),
  );
}
async function rightsOf(token: string, settings: Partial<AuthSettings> = {}): Promise<Rights> {
  const verdict = await verdictOf(bearing(token), settings);
  if (!('context' in verdict)) throw new Error(verdict.reason);
  return JSON.parse(String(verdict.context.rights));
}

describe('an identity token', () => {
  it('lets its bearer in, with the rights of everybody who has one', async () => {
    expect(await verdictOf(bearing(key.sign()))).toEqual({
      principalId: 'alice',
      context: {
        userId: 'alice',
        rights: '{"inbox/alice/*":["subscribe"]}',
        expiresAt: CLAIMS.exp,
        issuedAt: CLAIMS.iat,
        tokenId: 'token-1',
      },
    });
  });

  it('gives no rights of its own, unless its issuer may', async () => {
    const token = key.sign({ ...CLAIMS, fanwire: { rights: { '*': ['publish'] } } });
    expect(await rightsOf(token)).toEqual({ 'inbox/alice/*': ['subscribe'] });
    const issuers = [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: true }];
    expect(await rightsOf(token, { issuers })).toEqual({ 'inbox/alice/*': ['subscribe'], '*': ['publish'] });
  });

  it('lets its bearer in without any right: others may send to it', async () => {
    expect(await rightsOf(key.sign(), { rights: {} })).toEqual({});
  });

  it('has whole seconds to its end, and since its beginning', async () => {
    const claims = { ...CLAIMS, exp: CLAIMS.exp + 0.9, iat: CLAIMS.iat + 0.9 };
    const verdict = await verdictOf(bearing(key.sign(claims)));
    expect(verdict).toMatchObject({ context: { expiresAt: CLAIMS.exp, issuedAt: CLAIMS.iat } });
  });
});

describe('a grant', () => {
  it('gives its own rights, and those of everybody', async () => {
    const rights = { 'team/*': ['subscribe', 'publish'], 'inbox/alice/*': ['history'] } as const;
    expect(await verdictOf(bearing(await granted({ rights })))).toMatchObject({
      principalId: 'alice',
      context: { userId: 'alice', expiresAt: NOW_MS / 1000 + 60, tokenId: 'id-1' },
    });
    expect(await rightsOf(await granted({ rights }))).toEqual({
      'inbox/alice/*': ['subscribe', 'history'],
      'team/*': ['subscribe', 'publish'],
    });
  });

  it('of one topic is for nothing else', async () => {
    const token = await granted({ topic: 'team', rights: ['subscribe'] });
    expect(await rightsOf(token, { rights: {} })).toEqual({ team: ['subscribe'] });
  });

  it('is refused where grants are not taken', async () => {
    expect(await verdictOf(bearing(await granted()), { grants: false })).toEqual({
      status: 401,
      reason: 'issuer',
    });
  });
});

describe('users of two issuers', () => {
  const OTHER = 'https://other.example/';
  const jwksUri = 'https://keys.example/';
  const issuers = [
    { issuer: ISSUER, audience: AUDIENCE, jwksUri },
    { issuer: OTHER, audience: AUDIENCE, jwksUri, userPrefix: 'staff:' },
  ];
  const of = (iss: string, sub: string) => verdictOf(bearing(key.sign({ ...CLAIMS, iss, sub })), { issuers });

  it('with the same subject are two', async () => {
    expect(await of(ISSUER, 'alice')).toMatchObject({ context: { userId: 'alice' } });
    expect(await of(OTHER, 'alice')).toMatchObject({
      principalId: 'staff:alice',
      context: { userId: 'staff:alice', rights: '{"inbox/staff:alice/*":["subscribe"]}' },
    });
  });

  it('are never each other, whatever their subjects are', async () => {
    expect(await of(ISSUER, 'staff:alice')).toEqual({ status: 403, reason: 'user_id' });
    expect(await of(OTHER, 'staff:alice')).toMatchObject({ context: { userId: 'staff:staff:alice' } });
    expect(await of(OTHER, '|')).toMatchObject({ context: { userId: 'staff:~7C' } });
  });

  it('have names, and names that fit, with their prefix', async () => {
    for (const sub of ['', 'x'.repeat(123)]) {
      expect(await of(OTHER, sub)).toEqual({ status: 403, reason: 'user_id' });
    }
    expect(await of(OTHER, 'x'.repeat(122))).toHaveProperty('context');
  });

  it('are named by grants as they are', async () => {
    const token = await granted({ userId: 'staff:alice' });
    expect(await verdictOf(bearing(token), { issuers })).toMatchObject({
      context: { userId: 'staff:alice' },
    });
  });
});

describe('without a token', () => {
  it('one has exactly the rights of everybody without one', async () => {
    expect(await verdictOf({})).toEqual({
      principalId: 'anonymous',
      context: { rights: JSON.stringify(ANONYMOUS) },
    });
  });

  it('nobody gets in where those have no rights', async () => {
    expect(await verdictOf({}, { anonymous: {} })).toEqual({ status: 401, reason: 'no_token' });
  });

  it('nor with one where no token is taken either, and the log says what to set', async () => {
    const closed = { issuers: [], grants: false, anonymous: {} };
    for (const event of [{}, bearing(key.sign()), bearing('x')]) {
      expect(await verdictOf(event, closed)).toEqual({
        ...{ status: 401, reason: 'nobody_may_connect' },
        hint: expect.stringContaining('setting auth'),
      });
    }
  });

  it('the user id that a client says it has is worth nothing', async () => {
    const event = { multiValueQueryStringParameters: { userId: ['alice'] } };
    expect(await verdictOf(event)).toMatchObject({ context: { rights: JSON.stringify(ANONYMOUS) } });
    expect(await verdictOf(event)).not.toHaveProperty('context.userId');
  });
});

describe('a bad token does not become no token', () => {
  it.each([
    ['an expired one', bearing(key.sign({ ...CLAIMS, exp: 1 })), 'expired'],
    ['one of an unknown issuer', bearing(key.sign({ ...CLAIMS, iss: 'https://a.example' })), 'issuer'],
    ['what is no token', bearing('x'), 'malformed'],
    [
      'two',
      { ...bearing(key.sign()), multiValueQueryStringParameters: { token: [key.sign()] } },
      'not_allowed_in_query',
    ],
  ])('%s', async (_, event, reason) => {
    expect(await verdictOf(event)).toEqual({ status: 401, reason });
  });
});

describe('403, because another token of the same kind would not help', () => {
  it.each(['', 'x'.repeat(129), '/'.repeat(43), '\uD800'])('the subject "%s"', async (sub) => {
    expect(await verdictOf(bearing(key.sign({ ...CLAIMS, sub })))).toEqual({
      status: 403,
      reason: 'user_id',
    });
  });

  it.each([
    [{ rights: { 'a//b': ['subscribe'] } }],
    [{ rights: { a: 'subscribe' } }],
    [{ rights: { 'inbox/{sub}': ['subscribe'] } }],
    [{ rights: [] }],
    [{ rights: null }],
    ['all'],
    [null],
  ])('the claim %j', async (fanwire) => {
    const issuers = [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: true }];
    const token = key.sign({ ...CLAIMS, fanwire });
    expect(await verdictOf(bearing(token), { issuers })).toEqual({ status: 403, reason: 'rights' });
  });

  it('rights that do not fit the answer of an authorizer', async () => {
    const topics = Array.from({ length: 60 }, (_, index) => `${'x'.repeat(60)}${index}`);
    const rights = Object.fromEntries(topics.map((topic) => [topic, ['subscribe'] as const]));
    const everybody = Object.fromEntries(topics.map((topic) => [`${topic}-2`, ['history'] as const]));
    expect(await verdictOf(bearing(await granted({ rights })), { rights: everybody })).toEqual({
      ...{ status: 403, reason: 'rights_too_long' },
    });
  });
});

it('throws while there are no keys, so that nobody takes it for the fault of the token', async () => {
  const issuer = Object.assign(new FakeIssuer(key), { isDown: true });
  await expect(verdictOf(bearing(key.sign()), {}, issuer)).rejects.toMatchObject({
    name: 'KeysUnavailableError',
  });
});
