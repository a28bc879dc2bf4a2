import { once } from 'node:events';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Runtime } from '../../infra/local/runtime.ts';
import { grant } from '../../shared/auth/grants.ts';
import { CONNECTION_COUNT_KEY } from '../../shared/data/tables.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { EagerClock } from '../support/eager-clock.ts';
import { bootLocal } from '../support/local.ts';
import { rightOf, rightsIn } from '../support/rights.ts';
import { until } from '../support/until.ts';

const RATE = 5;
const BURST = 40;
const CONNECTIONS_PER_USER = 22;

const clock = new EagerClock();
const granted = new Set<string>();
let missing = '';
let missed = 0;
let lines: string[] = [];
let local: Runtime;
let backEnd: BackEnd;
let audience: string;
let secret: string;
const clients: Client[] = [];

beforeAll(async () => {
  local = await bootLocal({
    app: 'test/apps/limited.ts',
    schedules: true,
    clock,
    edit: (resources) => {
      for (const right of rightsIn(resources)) granted.add(right);
    },
    deny: (...access) => {
      const isMissing = rightOf(...access) === missing;
      if (isMissing) missed += 1;
      return isMissing;
    },
    log: (source, line) => lines.push(`${source} ${line}`),
  });
  backEnd = new BackEnd(local.ready);
  const { endpoint, region, accessKeyId, secretAccessKey, secrets } = local.ready;
  const credentials = { accessKeyId, secretAccessKey };
  const { SecretString } = await new SecretsManagerClient({ endpoint, region, credentials }).send(
    new GetSecretValueCommand({ SecretId: String(Object.values(secrets)[0]) }),
  );
  secret = String(SecretString);
  ({ endpoint: audience } = await (await open()).ask({ action: 'whoami' }));
});
afterAll(() => local.stop());
afterEach(async () => {
  missing = '';
  missed = 0;
  lines = [];
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await until(async () => (await backEnd.connectionsWithRows()).size === 0);
});

const protocolsFor = async (userId: string): Promise<string[]> => {
  const token = await grant({ userId, rights: {}, expiresIn: 3_600 }, { secret, audience });
  return ['fanwire', `bearer.${token}`];
};
async function open(userId?: string): Promise<Client> {
  const protocols = userId === undefined ? [] : await protocolsFor(userId);
  const client = await Client.open(local.ready.websocketUrl, protocols);
  clients.push(client);
  return client;
}
async function statusFor(userId?: string): Promise<number> {
  const protocols = userId === undefined ? [] : await protocolsFor(userId);
  const socket = new WebSocket(local.ready.websocketUrl, protocols);
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return response.statusCode;
}
const openMany = (count: number, userId?: string) =>
  Promise.all(Array.from({ length: count }, () => open(userId)));
const PING = { action: 'ping' };
const pings = (client: Client, count: number) =>
  Promise.all(Array.from({ length: count }, () => client.ask(PING)));
const said = (...parts: string[]): Promise<unknown> =>
  until(() => lines.find((line) => parts.every((part) => line.includes(part))));

describe('a client far above its limit', () => {
  it('gets rate_limited, keeps its socket, and may go on when it was told; others notice nothing', async () => {
    const [ada, bob] = [await open('ada'), await open('bob')];
    const replies = await pings(ada, 20 * BURST);
    const refused = replies.filter(({ type }) => type === 'error');
    expect(refused.length).toBeGreaterThan(10 * BURST);
    for (const { code, retryAfterMs } of refused) {
      expect(code).toBe('rate_limited');
      expect(retryAfterMs).toBeGreaterThan(0);
    }
    expect(await bob.ask(PING)).toMatchObject({ type: 'ack' });
    await until(async () => (await ada.ask(PING)).type === 'ack');
    expect(ada.socket.readyState).toBe(WebSocket.OPEN);
    await said('limit reached: commands, times: ', ', last: ada', '"limit":"commands"', '"userId":"ada"');
    const reports = lines.filter((line) => line.includes('limit reached'));
    expect(reports.length).toBeLessThan(refused.length / 5);
  });

  it('gets no more with 20 connections than with one', async () => {
    const connections = await openMany(20, 'cleo');
    const startMs = Date.now();
    const replies = (await Promise.all(connections.map((client) => pings(client, 20)))).flat();
    const seconds = (Date.now() - startMs) / 1_000;
    const passed = replies.filter(({ type }) => type === 'ack').length;
    expect(replies).toHaveLength(400);
    expect(passed).toBeGreaterThan(0);
    expect(passed).toBeLessThanOrEqual(BURST + RATE * seconds + 1);
  });

  it.each<[string, object]>([
    ['unknown commands', { action: 'shout' }],
    ['whoami', { action: 'whoami' }],
    ['frames that are not as they should be', { action: 'subscribe', topic: 7 }],
  ])('is counted for %s', async (_, command) => {
    const client = await open();
    const replies = await Promise.all(Array.from({ length: 5 * BURST }, () => client.ask(command)));
    const refused = replies.filter(({ code }) => code === 'rate_limited');
    expect(refused.length).toBeGreaterThan(2 * BURST);
    expect(refused.length).toBeLessThan(5 * BURST);
  });
});

it('refuses 125 KB to 100 topics, and writes no row', async () => {
  const client = await open();
  const topics = Array.from({ length: 100 }, (_, n) => `log/attack/${n}`);
  client.sendInFrames(JSON.stringify({ action: 'publish', topics, data: 'x'.repeat(120_000), id: 'a' }));
  expect(await client.wait(({ id }) => id === 'a')).toMatchObject({
    code: 'too_large',
    message: expect.stringContaining('expected at most 1048576 bytes of data'),
  });
  const rows = JSON.stringify([await backEnd.rows('topics'), await backEnd.rows('messages')]);
  expect(rows).not.toContain('attack');
});

it('makes rows of 20 made-up topics an hour for one user, and answers the others', async () => {
  const client = await open('dora');
  const replies = [];
  for (let n = 0; n < 30; n++) {
    replies.push(await client.ask({ action: 'publish', topic: `log/made-up/${n}`, data: 1 }));
  }
  expect(replies.filter(({ type }) => type === 'ack').length).toBe(20);
  expect(replies.at(-1)).toMatchObject({ code: 'rate_limited' });
  const rows = (await backEnd.rows('topics')).filter((row) => JSON.stringify(row).includes('made-up'));
  expect(rows).toHaveLength(20);
});

it('lets nobody read more history than comes in, but for what was being read', async () => {
  const client = await open('emma');
  await client.ask({ action: 'publish', topic: 'log/long', data: 'x'.repeat(9_000) });
  const read = () => client.ask({ action: 'history', topic: 'log/long' });
  expect((await read()).messages).toHaveLength(1);
  expect(await read()).toMatchObject({ code: 'rate_limited' });
  for (const from of [{ rewind: 1 }, {}]) {
    const subscribed = await client.ask({ action: 'subscribe', topic: 'log/long', ...from });
    expect(subscribed).toMatchObject({ code: 'rate_limited' });
  }
});

describe('handshakes', () => {
  it('of one user beyond its connections get 429, until one of them is closed', async () => {
    const [first] = await openMany(CONNECTIONS_PER_USER, 'finn');
    expect(await statusFor('finn')).toBe(429);
    await said('handshake refused', 'expected at most 22 connections of a user, got one more');
    await open('bob');
    await first?.close();
    await until(async () => (await statusOrOpen('finn')) === 'open');
  });

  it('beyond all connections get 429', async () => {
    await openMany(60);
    expect(await statusFor()).toBe(429);
    await said('handshake refused', 'expected at most 60 connections, got one more');
  });
});

const statusOrOpen = (userId: string) =>
  open(userId).then(
    () => 'open',
    (error: Error) => error.message,
  );

/** Each right that limits need is needed: without it what it is for fails, and says so. */
describe('without the right', () => {
  const commands: Record<string, object> = {
    Subscribe: { action: 'subscribe', topic: 'a' },
    Unsubscribe: { action: 'unsubscribe', topic: 'a' },
    History: { action: 'history', topic: 'log/a' },
    Publish: { action: 'publish', topic: 'a', data: 1 },
    Send: { action: 'send', to: { userId: 'ada' }, data: 1 },
    Whoami: { action: 'whoami' },
    Ping: PING,
    Authenticate: { action: 'authenticate', token: 'a.b.c' },
    DefaultRoute: { action: 'shout' },
  };
  const failsWithout = (right: string, prepare: (client: Client) => Promise<unknown>) => async () => {
    const client = await open();
    await prepare(client);
    missing = right;
    expect(await client.ask(commands[right.split(' ')[0] ?? ''] ?? {})).toMatchObject({ code: 'internal' });
  };
  /** So that it is not what a Lambda that knows nothing of this connection takes it for. */
  const useAllowance = (route: string) => (client: Client) =>
    Promise.all(
      Array.from({ length: BURST / 2 }, () => client.ask(route === 'Ping' ? { action: 'whoami' } : PING)),
    );
  const miscount = () =>
    backEnd.dynamodb.send(
      new UpdateItemCommand({
        TableName: local.ready.tables.access,
        Key: CONNECTION_COUNT_KEY,
        UpdateExpression: 'ADD connectionCount :by',
        ExpressionAttributeValues: { ':by': { N: '7' } },
      }),
    );
  const failsSweep = (right: string) => async () => {
    await miscount();
    missing = right;
    clock.runSchedule();
    await said('AccessDeniedException', `is not authorized to perform: ${right.split(' ')[1]}`);
    missing = '';
    clock.runSchedule();
    // Where the right to count an end was missing, one more.
    await said('"miscounted":-');
  };
  const failsFull = (right: string) => async () => {
    await openMany(CONNECTIONS_PER_USER, 'gwen');
    missing = right;
    expect(await statusFor('gwen')).toBe(500);
  };

  const FAILURES: Record<string, () => Promise<unknown>> = {
    ...Object.fromEntries(
      Object.keys(commands).flatMap((route) => [
        [
          `${route} dynamodb:UpdateItem Access`,
          failsWithout(`${route} dynamodb:UpdateItem Access`, async () => {}),
        ],
        [
          `${route} dynamodb:GetItem Access`,
          failsWithout(`${route} dynamodb:GetItem Access`, useAllowance(route)),
        ],
      ]),
    ),
    'Connect dynamodb:UpdateItem Access': async () => {
      missing = 'Connect dynamodb:UpdateItem Access';
      expect(await statusFor()).toBe(500);
    },
    'Connect dynamodb:GetItem Access': failsFull('Connect dynamodb:GetItem Access'),
    'Connect dynamodb:GetItem Connections': failsFull('Connect dynamodb:GetItem Connections'),
    'Disconnect dynamodb:UpdateItem Access': async () => {
      const client = await open();
      missing = 'Disconnect dynamodb:UpdateItem Access';
      await client.close();
      await said('Disconnect', 'invocation failed', 'is not authorized to perform: dynamodb:UpdateItem');
    },
    'Sweep dynamodb:GetItem Access': failsSweep('Sweep dynamodb:GetItem Access'),
    'Sweep dynamodb:UpdateItem Access': failsSweep('Sweep dynamodb:UpdateItem Access'),
  };

  it('which is any of those that come with limits', () => {
    const ofOthers = /^Close|^(Connect|Authenticate|Subscribe|History) dynamodb:BatchGetItem/; // what was revoked
    const withLimits = [...granted].filter(
      (right) =>
        (right.endsWith(' Access') || right === 'Connect dynamodb:GetItem Connections') &&
        !ofOthers.test(right),
    );
    expect(Object.keys(FAILURES).sort()).toEqual(withLimits.sort());
  });

  it.each(Object.entries(FAILURES))('%s', async (_, fail) => {
    await fail();
    expect(missed).toBeGreaterThan(0);
  });
});
