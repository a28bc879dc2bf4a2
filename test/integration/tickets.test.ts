import { createHash } from 'node:crypto';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Runtime } from '../../infra/local/runtime.ts';
import { grant } from '../../shared/auth/grants.ts';
import { revocation } from '../../shared/auth/revocation.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import { rightOf, rightsIn } from '../support/rights.ts';
import { until } from '../support/until.ts';

const APP_FILE = 'test/apps/tickets.ts';
const APP = 'http://app.localhost:3000';

let local: Runtime;
let backEnd: BackEnd;
let ticketsUrl: string;
let secret: string;
/** Everything that functions and engines have said. */
const lines: string[] = [];
/** All tokens and tickets there were. */
const secrets: string[] = [];
const granted = new Set<string>();
const used = new Set<string>();
/** The right that is not there for the moment. */
let missing: string | undefined;

beforeAll(async () => {
  local = await bootLocal({
    app: APP_FILE,
    edit: (resources) => {
      for (const right of rightsIn(resources)) granted.add(right);
    },
    deny: (...access) => rightOf(...access) === missing,
    onUse: (...access) => used.add(rightOf(...access)),
    log: (source, line) => lines.push(`${source} ${line}`),
  });
  backEnd = new BackEnd(local.ready);
  ticketsUrl = String(local.ready.outputs.TicketsUrl);
  const { endpoint, region, accessKeyId, secretAccessKey } = local.ready;
  const credentials = { accessKeyId, secretAccessKey };
  const secretsManager = new SecretsManagerClient({ endpoint, region, credentials });
  const [SecretId = ''] = Object.values(local.ready.secrets);
  const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId }));
  secret = String(SecretString);
});
afterAll(() => local?.stop());
beforeEach(() => {
  missing = undefined;
});

async function tokenFor(userId: string, atMs = Date.now()): Promise<string> {
  const audience = `${local.ready.endpoint}/prod`;
  const token = await grant({ userId, rights: {}, expiresIn: 600 }, { secret, audience, now: () => atMs });
  secrets.push(token);
  return token;
}

const ask = (token: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(ticketsUrl, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers } });

async function ticketFor(userId: string): Promise<string> {
  const response = await ask(await tokenFor(userId));
  expect(response.status).toBe(201);
  const { ticket } = (await response.json()) as { ticket: string };
  secrets.push(ticket);
  return ticket;
}

const urlWith = (ticket: string): string => `${local.ready.websocketUrl}?ticket=${ticket}`;

/** 101 if it lets in; then it is closed again. */
function statusWith(ticket: string, protocols: readonly string[] = []): Promise<number> {
  const socket = new WebSocket(urlWith(ticket), [...protocols]);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      socket.close();
      resolve(101);
    });
    socket.once('unexpected-response', (_, response) => {
      response.resume();
      resolve(Number(response.statusCode));
    });
  });
}

const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

describe('a ticket', () => {
  it('opens a connection with the rights of its token, with or without a subprotocol', async () => {
    for (const [protocols, spoken] of [
      [[], ''],
      [['fanwire'], 'fanwire'],
    ] as const) {
      const client = await Client.open(urlWith(await ticketFor('ada')), protocols);
      expect(client.socket.protocol).toBe(spoken);
      expect(await client.ask({ action: 'whoami' })).toMatchObject({ userId: 'ada' });
      expect(await client.ask({ action: 'subscribe', topic: 'chat/lobby' })).toMatchObject({ type: 'ack' });
      expect(await client.ask({ action: 'subscribe', topic: 'news' })).toMatchObject({ code: 'forbidden' });
      await client.close();
    }
  });

  it('is handed out for a minute, and kept by nobody on the way', async () => {
    const response = await ask(await tokenFor('ada'));
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { ticket, expiresIn } = (await response.json()) as { ticket: string; expiresIn: number };
    secrets.push(ticket);
    expect(expiresIn).toBe(60);
    expect(ticket).toMatch(/^[\w-]{43}$/);
  });

  it('works once', async () => {
    const ticket = await ticketFor('ada');
    expect(await statusWith(ticket)).toBe(101);
    expect(await statusWith(ticket)).toBe(401);
  });

  it('lets in one of 50 clients that race', async () => {
    const ticket = await ticketFor('ada');
    const statuses = await Promise.all(Array.from({ length: 50 }, () => statusWith(ticket)));
    expect(statuses.toSorted((a, b) => a - b)).toEqual([101, ...Array(49).fill(401)]);
  });

  it('lets nobody in when its minute is over, though it is stored still', async () => {
    const ticket = await ticketFor('ada');
    const id = { S: `ticket#${createHash('sha256').update(ticket).digest('base64url')}` };
    await backEnd.dynamodb.send(
      new UpdateItemCommand({
        TableName: local.ready.tables.access,
        Key: { id },
        ConditionExpression: 'attribute_exists(id)',
        UpdateExpression: 'SET expiresAt = expiresAt - :minute',
        ExpressionAttributeValues: { ':minute': { N: '60' } },
      }),
    );
    expect(await statusWith(ticket)).toBe(401);
  });

  it('is refused beside a token, and is good still', async () => {
    const ticket = await ticketFor('ada');
    expect(await statusWith(ticket, ['fanwire', `bearer.${await tokenFor('ada')}`])).toBe(401);
    expect(await statusWith(ticket)).toBe(101);
  });
});

describe('who has no good token', () => {
  it.each<[string, () => Promise<string>, number, string]>([
    ['is told so', async () => 'no.good.token', 401, 'unauthenticated'],
    ['is told that it has ended', () => tokenFor('ada', Date.now() - 3_600_000), 401, 'expired'],
  ])('%s', async (_, makeToken, status, code) => {
    const token = await makeToken();
    const response = await ask(token);
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/json']);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({ code, message: expect.any(String) });
    expect(text).not.toContain(token);
  });

  it('has no other way to ask', async () => {
    expect((await fetch(ticketsUrl, { method: 'POST' })).status).toBe(401);
    expect((await fetch(`${ticketsUrl}?token=${await tokenFor('ada')}`, { method: 'POST' })).status).toBe(
      401,
    );
    expect((await fetch(ticketsUrl)).status).toBe(404);
  });
});

it('a user gets as many tickets as commands, and is then told when there is the next one', async () => {
  const tokens = [await tokenFor('flood'), await tokenFor('flood')];
  const ticketsNow = async () =>
    (await backEnd.rows('access')).filter((row) => JSON.stringify(row).includes('ticket#')).length;
  const [before, startMs] = [await ticketsNow(), Date.now()];
  const responses = await Promise.all(Array.from({ length: 400 }, (_, n) => ask(tokens[n % 2] ?? '')));
  const cameIn = Math.ceil((Date.now() - startMs) / 1_000);
  const issued = responses.filter(({ status }) => status === 201).length;
  expect(issued).toBeGreaterThan(0);
  expect(issued).toBeLessThanOrEqual(60 + cameIn);
  expect((await ticketsNow()) - before).toBe(issued);
  for (const response of responses.filter(({ status }) => status !== 201)) {
    const body = (await response.json()) as { retryAfterMs: number };
    expect([response.status, body]).toMatchObject([429, { code: 'rate_limited' }]);
    expect(body.retryAfterMs).toBeGreaterThan(0);
    expect(response.headers.get('retry-after')).toBe(String(Math.ceil(body.retryAfterMs / 1_000)));
  }
  expect((await ask(await tokenFor('ada'))).status).toBe(201);
}, 30_000);

it('a token that was revoked gets none', async () => {
  const [stolen, good] = [await tokenFor('mallory'), await tokenFor('mallory')];
  const entry = revocation({ token: stolen }, { eventBusName: local.ready.eventBusName });
  await backEnd.events.send(new PutEventsCommand({ Entries: [entry] }));
  await until(async () => (await ask(stolen)).status === 403);
  expect(await (await ask(stolen)).json()).toEqual({
    code: 'forbidden',
    message: 'expected a token that is good, got a revoked one',
  });
  expect((await ask(good)).status).toBe(201);
});

describe('a page', () => {
  const preflight = (origin: string) =>
    fetch(ticketsUrl, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });

  it('of an origin in the settings may ask', async () => {
    const asked = await preflight(APP);
    expect([asked.status, corsOf(asked)]).toEqual([
      204,
      {
        'access-control-allow-origin': APP,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-max-age': '7200',
      },
    ]);
    const answered = await ask(await tokenFor('ada'), { origin: APP });
    expect([answered.status, corsOf(answered)]).toEqual([201, { 'access-control-allow-origin': APP }]);
  });

  it('of another may not, and reads no answer', async () => {
    const other = 'http://other.localhost:3000';
    expect(corsOf(await preflight(other))).toEqual({});
    expect(corsOf(await ask(await tokenFor('ada'), { origin: other }))).toEqual({});
  });

  it('of another machine gets nothing at all here', async () => {
    expect((await preflight('https://evil.example')).status).toBe(403);
    expect((await ask(await tokenFor('ada'), { origin: 'https://evil.example' })).status).toBe(403);
  });
});

describe('least privilege', () => {
  /** So that it is not what a Lambda that knows nothing of this user takes it for. */
  async function useAllowance(userId: string): Promise<void> {
    const client = await Client.open(local.ready.websocketUrl, [
      'fanwire',
      `bearer.${await tokenFor(userId)}`,
    ]);
    await client.ask({ action: 'ping' });
    await client.close();
  }

  it('is to write tickets for the one Lambda, to delete them for the other, and what both look at', async () => {
    await useAllowance('hana');
    await ticketFor('hana');
    const isOne = (right: string) => /^(Tickets|Authorize) /.test(right);
    const rights = [...granted].filter(isOne).sort();
    expect(rights.filter((right) => !right.includes(' logs:'))).toEqual([
      'Authorize dynamodb:DeleteItem Access',
      'Authorize secretsmanager:GetSecretValue GrantsSecret',
      'Tickets dynamodb:BatchGetItem Access',
      'Tickets dynamodb:GetItem Access',
      'Tickets dynamodb:PutItem Access',
      'Tickets dynamodb:UpdateItem Access',
      'Tickets secretsmanager:GetSecretValue GrantsSecret',
    ]);
    expect([...used].filter(isOne).sort()).toEqual(rights);
  });

  it.each(['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'])(
    'without %s there are none',
    async (action) => {
      const userId = `without-${action}`;
      await useAllowance(userId);
      missing = `Tickets dynamodb:${action} Access`;
      const response = await ask(await tokenFor(userId));
      expect([response.status, await response.json()]).toEqual([
        500,
        { code: 'internal', message: expect.any(String) },
      ]);
    },
  );

  it('without that of the authorizer none lets in', async () => {
    const ticket = await ticketFor('ada');
    missing = 'Authorize dynamodb:DeleteItem Access';
    expect(await statusWith(ticket)).toBe(500);
  });

  it('without the secret no grant can be verified', async () => {
    const right = 'Tickets secretsmanager:GetSecretValue GrantsSecret';
    const other = await bootLocal({ app: APP_FILE, deny: (...access) => rightOf(...access) === right });
    onTestFinished(() => other.stop());
    const authorization = `Bearer ${await tokenFor('ada')}`;
    const url = String(other.ready.outputs.TicketsUrl);
    const response = await fetch(url, { method: 'POST', headers: { authorization } });
    expect([response.status, await response.json()]).toMatchObject([503, { code: 'unavailable' }]);
  });
});

it('no line of any log has a token or a ticket in it', () => {
  expect(lines.filter((line) => line.includes('unknown_ticket'))).not.toEqual([]);
  expect(lines.filter((line) => line.includes('"reason":"expired"'))).not.toEqual([]);
  expect(secrets.length).toBeGreaterThan(10);
  const text = lines.join('\n');
  expect(secrets.filter((each) => text.includes(each))).toEqual([]);
});
