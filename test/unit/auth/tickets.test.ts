import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { assemble as assembleAuthorize } from '../../../services/authorize/assemble.ts';
import { authorize } from '../../../services/authorize/authorize.ts';
import { assemble as assembleTickets } from '../../../services/tickets/assemble.ts';
import { issue } from '../../../services/tickets/issue.ts';
import { grant } from '../../../shared/auth/grants.ts';
import { type AuthSettings, parseAuth } from '../../../shared/auth/settings.ts';
import { createRevocations } from '../../../shared/data/revocations.ts';
import { createTickets } from '../../../shared/data/tickets.ts';
import type { HttpEvent } from '../../../shared/lambda/events.ts';
import type { Rates } from '../../../shared/protocol/limits.ts';
import { MemoryDynamoDB } from '../../memory/dynamodb.ts';
import { AUDIENCE, CLAIMS, FakeIssuer, ISSUER, NOW_MS, signingKey, webDeps } from '../../support/issuer.ts';
import { NOTHING_LIMITED } from '../../support/no-limits.ts';

const API = 'https://api.example/prod';
const SECRET = 'secret'.padEnd(32, '.');
const key = signingKey('key');
const issuer = new FakeIssuer(key);

let nowMs = NOW_MS;
let memory: MemoryDynamoDB;
beforeEach(() => {
  nowMs = NOW_MS;
  issuer.isDown = false;
  memory = new MemoryDynamoDB({ now });
});
const now = () => nowMs;

let tickets = 0;
/** Never the same twice. */
const randomBytes = (size: number): Buffer => Buffer.alloc(size, ++tickets);

/** Both Lambdas over the same table. */
function system(settings: Partial<AuthSettings> = {}, rates: Rates = {}) {
  const auth = parseAuth({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE }],
    grants: true,
    tickets: true,
    rights: { 'inbox/{sub}/*': ['subscribe'] },
    ...settings,
  });
  const dynamodb = memory.client();
  const limits = { ...NOTHING_LIMITED, rates };
  const config = { auth, issuers: [], audience: API, accessTable: 'access', limits };
  const clock = { now, wait: async () => {}, random: () => 0, newId: () => 'id' };
  const verifier = { ...webDeps(issuer.fetch, now), secrets: async () => ({ current: SECRET }) };
  const taker = { tickets: async (table: string) => createTickets(dynamodb, table, now) };
  const issuing = assembleTickets(config, { ...verifier, dynamodb, randomBytes }, clock);
  const authorizing = assembleAuthorize(config, { ...verifier, ...taker }, { now });
  return {
    revoke: createRevocations(dynamodb, 'access', clock).revoke,
    ask: (event: HttpEvent) => issue(event, issuing),
    enter: (query: Readonly<Record<string, readonly string[]>>, headers = {}) =>
      authorize({ multiValueQueryStringParameters: query, multiValueHeaders: headers }, authorizing),
  };
}

const bearing = (token: string): HttpEvent => ({ headers: { authorization: `Bearer ${token}` } });

async function ticketFor(token: string, { ask }: ReturnType<typeof system>): Promise<string> {
  const reply = await ask(bearing(token));
  if (!('status' in reply)) throw new Error(reply.message);
  return (reply.body as { ticket: string }).ticket;
}

const UNKNOWN = { status: 401, reason: 'unknown_ticket' };

describe('a ticket', () => {
  it.each([
    ['an identity token', async () => key.sign()],
    [
      'a grant',
      () =>
        grant(
          { userId: 'alice', rights: { team: ['subscribe'] }, expiresIn: 600 },
          { secret: SECRET, audience: API, now, newId: () => 'id-1' },
        ),
    ],
  ])('lets in once, as %s does', async (_, makeToken) => {
    const all = system();
    const token = await makeToken();
    const byToken = await all.enter({}, { 'Sec-WebSocket-Protocol': [`fanwire, bearer.${token}`] });
    const ticket = await ticketFor(token, all);
    expect(byToken).toHaveProperty('context');
    expect(await all.enter({ ticket: [ticket] }, { 'Sec-WebSocket-Protocol': ['fanwire'] })).toEqual(byToken);
    expect(await all.enter({ ticket: [ticket] })).toEqual(UNKNOWN);
  });

  it('is answered with how long it is good, and is 256 bits', async () => {
    const reply = await system().ask(bearing(key.sign()));
    expect(reply).toEqual({
      status: 201,
      body: { ticket: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/), expiresIn: 60 },
    });
  });

  it('is in no table: only its hash is', async () => {
    const all = system();
    const ticket = await ticketFor(key.sign(), all);
    const [item, ...others] = memory.items('access');
    expect(others).toEqual([]);
    expect(item?.id).toEqual({ S: `ticket#${createHash('sha256').update(ticket).digest('base64url')}` });
    expect(JSON.stringify(item)).not.toContain(ticket);
    expect(item?.expiresAt).toEqual({ N: String(NOW_MS / 1000 + 60) });
  });

  it.each([0, 1, 999])('is good for up to 60 seconds, and no longer: %i ms into a second', async (ms) => {
    const all = system();
    nowMs = NOW_MS + ms;
    const [first, second] = [await ticketFor(key.sign(), all), await ticketFor(key.sign(), all)];
    nowMs = NOW_MS + 59_999;
    expect(await all.enter({ ticket: [first] })).toHaveProperty('context');
    nowMs = NOW_MS + ms + 60_000;
    expect(await all.enter({ ticket: [second] })).toEqual(UNKNOWN);
  });

  it('does not outlive its token', async () => {
    const all = system();
    const token = key.sign({ ...CLAIMS, exp: NOW_MS / 1000 + 10 });
    expect(await all.ask(bearing(token))).toMatchObject({ status: 201, body: { expiresIn: 10 } });
    const ticket = await ticketFor(token, all);
    nowMs += 10_000;
    expect(await all.enter({ ticket: [ticket] })).toEqual(UNKNOWN);
    // By the tolerance between clocks it may be good still, but there is nothing left to give.
    expect(await all.ask(bearing(token))).toMatchObject({ code: 'expired' });
  });

  it('lets in one of 50 who come at once', async () => {
    const all = system();
    const ticket = await ticketFor(key.sign(), all);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => all.enter({ ticket: [ticket] })));
    expect(verdicts.filter((verdict) => 'context' in verdict)).toHaveLength(1);
    expect(verdicts.filter((verdict) => 'reason' in verdict)).toEqual(Array(49).fill(UNKNOWN));
  });
});

describe('a handshake with a ticket', () => {
  it.each([
    ['that there never was', ['A'.repeat(43)], 'unknown_ticket'],
    ['that is none', ['x'], 'unknown_ticket'],
    ['that is empty', [''], 'unknown_ticket'],
    ['too long for one', ['A'.repeat(44)], 'unknown_ticket'],
    ['twice', ['A'.repeat(43), 'A'.repeat(43)], 'several_tokens'],
  ])('%s is refused', async (_, ticket, reason) => {
    expect(await system().enter({ ticket })).toEqual({ status: 401, reason });
    // And does not become one without.
    expect(await system({ anonymous: { news: ['subscribe'] } }).enter({ ticket })).toEqual({
      ...{ status: 401, reason },
    });
  });

  it.each([
    ['a subprotocol', {}, { 'Sec-WebSocket-Protocol': [`bearer.${key.sign()}`] }],
    ['a header', {}, { Authorization: [`Bearer ${key.sign()}`] }],
    ['the query', { token: [key.sign()] }, {}],
  ])('and a token in %s is refused, and the ticket is good still', async (_, query, headers) => {
    const all = system({ queryToken: true });
    const ticket = await ticketFor(key.sign(), all);
    expect(await all.enter({ ticket: [ticket], ...query }, headers)).toEqual({
      ...{ status: 401, reason: 'several_tokens' },
    });
    expect(await all.enter({ ticket: [ticket] })).toHaveProperty('context');
  });

  it('is refused where there are none', async () => {
    const all = system();
    const ticket = await ticketFor(key.sign(), all);
    const without = system({ tickets: false, anonymous: { news: ['subscribe'] } });
    expect(await without.enter({ ticket: [ticket] })).toEqual({
      status: 401,
      reason: 'not_allowed_in_query',
    });
  });
});

describe('without a good token there is no ticket', () => {
  const other = { issuer: 'https://other.example', audience: 'b' };
  it.each<[string, HttpEvent, string, string]>([
    ['none', { headers: {} }, 'unauthenticated', 'no_token'],
    ['another scheme', { headers: { authorization: 'Basic YTpi' } }, 'unauthenticated', 'unknown_scheme'],
    ['two', { headers: { authorization: 'Bearer a,Bearer b' } }, 'unauthenticated', 'unknown_scheme'],
    ['what is none', bearing('no.token'), 'unauthenticated', 'malformed'],
    [
      'in the query',
      { headers: {}, queryStringParameters: { token: 'a' } },
      'unauthenticated',
      'not_allowed_in_query',
    ],
    ['of a stranger', bearing(key.sign({ ...CLAIMS, iss: other.issuer })), 'unauthenticated', 'issuer'],
    ['an expired one', bearing(key.sign({ ...CLAIMS, exp: NOW_MS / 1000 - 60 })), 'expired', 'expired'],
    ['of a user without a name', bearing(key.sign({ ...CLAIMS, sub: '' })), 'forbidden', 'user_id'],
  ])('%s', async (_, event, code, reason) => {
    const reply = await system().ask(event);
    expect(reply).toEqual({ code, reason, message: expect.stringMatching(/^expected a/) });
    expect(memory.items('access')).toEqual([]);
    const { authorization = '' } = event.headers;
    expect(JSON.stringify(reply)).not.toContain(authorization.split(' ')[1] ?? 'nothing');
  });

  it('with more rights than a connection can have', async () => {
    const topics = Array.from({ length: 80 }, (_, index) => `${'x'.repeat(100)}${index}`);
    const all = system({ rights: Object.fromEntries(topics.map((topic) => [topic, ['subscribe']])) });
    expect(await all.ask(bearing(key.sign()))).toMatchObject({
      code: 'forbidden',
      reason: 'rights_too_long',
    });
    expect(memory.items('access')).toEqual([]);
  });

  it('that was revoked, alone or with all of its user', async () => {
    const all = system();
    const [token, other] = ['stolen', 'good'].map((jti) => bearing(key.sign({ ...CLAIMS, jti }))) as [
      HttpEvent,
      HttpEvent,
    ];
    const refused = { code: 'forbidden', reason: 'revoked' };
    // What was issued until then.
    await all.revoke({ userId: 'alice' }, nowMs - 120_000);
    expect(await all.ask(token)).toMatchObject({ status: 201 });
    await all.revoke({ userId: 'alice', tokenId: 'stolen' }, nowMs);
    expect([await all.ask(token), await all.ask(other)]).toMatchObject([refused, { status: 201 }]);
    await all.revoke({ userId: 'alice' }, nowMs);
    expect(await all.ask(other)).toMatchObject(refused);
  });

  it('and while there are no keys one is asked to come again', async () => {
    issuer.isDown = true;
    expect(await system().ask(bearing(key.sign()))).toMatchObject({ code: 'unavailable' });
  });
});

it('each counts as a command of its user, and one that is refused is told when there is the next', async () => {
  const all = system({}, { commands: { perSecond: 0.5, burst: 3 } });
  const replies = [];
  for (let n = 0; n < 5; n++) replies.push(await all.ask(bearing(key.sign())));
  const refused = { code: 'rate_limited', retryAfterMs: 2_000 };
  expect(replies).toMatchObject([...Array(3).fill({ status: 201 }), refused, refused]);
  expect(memory.items('access').filter(({ id }) => id?.S?.startsWith('ticket#'))).toHaveLength(3);
  expect(await all.ask(bearing(key.sign({ ...CLAIMS, sub: 'bob' })))).toMatchObject({ status: 201 });
  nowMs += 2_000;
  expect(await all.ask(bearing(key.sign()))).toMatchObject({ status: 201 });
});
