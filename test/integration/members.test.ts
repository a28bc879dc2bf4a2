import { once } from 'node:events';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type GrantOptions, grant } from '../../shared/auth/grants.ts';
import { connect } from '../../shared/client/index.ts';
import { escapeSegment } from '../../shared/protocol/segment.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';

const SECOND_MS = 1_000;

let system: System;
let secretsManager: SecretsManagerClient;
let secretArn: string;
let audience: string;
/** The one before the rotation at the start. */
let previousSecret: string;

const secretNow = async (): Promise<string> => {
  const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId: secretArn }));
  return String(SecretString);
};

beforeAll(async () => {
  system = await startSystem({ app: 'test/apps/members.ts' });
  const { endpoint, region, accessKeyId, secretAccessKey, secrets } = system.ready;
  secretsManager = new SecretsManagerClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  secretArn = String(Object.values(secrets)[0]);
  previousSecret = await secretNow();
  const rotated = new PutSecretValueCommand({ SecretId: secretArn, SecretString: 'a'.repeat(64) });
  await secretsManager.send(rotated);
  const anonymous = await Client.open(system.ready.websocketUrl);
  ({ endpoint: audience } = await anonymous.ask({ action: 'whoami' }));
});
afterAll(() => system.stop());

/** A token for a user, good for an hour from `atMs`. */
const tokenFor = async (userId: string, more: Partial<GrantOptions> = {}, atMs = Date.now()) =>
  grant({ userId, rights: {}, expiresIn: 3_600, ...more } as GrantOptions, {
    secret: await secretNow(),
    audience,
    now: () => atMs,
  });

const openWith = async (token: string): Promise<Client> =>
  Client.open(system.ready.websocketUrl, ['fanwire', `bearer.${token}`]);

async function statusOf(token: string, url = system.ready.websocketUrl): Promise<number> {
  const socket = new WebSocket(url, ['fanwire', `bearer.${token}`]);
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return response.statusCode;
}

describe('somebody without a token', () => {
  it('may do what the settings give to everybody, and nothing else', async () => {
    const client = await Client.open(`${system.ready.websocketUrl}?userId=ada`);
    expect(await client.ask({ action: 'subscribe', topic: 'news/today' })).toMatchObject({ type: 'ack' });
    const refused = [
      { action: 'subscribe', topic: 'chat/lobby' },
      { action: 'subscribe', topic: 'newsletter' },
      { action: 'history', topic: 'chat/lobby' },
      { action: 'publish', topic: 'news/today', data: 1 },
      { action: 'publish', topic: 'chat/lobby', data: 1 },
      { action: 'send', to: { userId: 'ada' }, data: 1 },
      { action: 'ping', positions: [{ topic: 'chat/lobby', epoch: 'e', offset: 1 }] },
    ];
    for (const command of refused) {
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'forbidden' });
    }
    expect(await client.ask({ action: 'whoami' })).not.toHaveProperty('userId');
  });

  it('keeps its socket and its other subscriptions when it is refused one, a thousand times', async () => {
    const client = await Client.open(system.ready.websocketUrl);
    await client.ask({ action: 'subscribe', topic: 'news/kept' });
    const refusals = Array.from({ length: 1_000 }, () =>
      client.ask({ action: 'subscribe', topic: 'chat/*' }),
    );
    for (const refusal of await Promise.all(refusals)) expect(refusal).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ action: 'ping' })).toMatchObject({ type: 'ack' });
  }, 60_000);
});

describe('a member', () => {
  it('is who its grant says, and hands on its name and not its connection', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(async (user) => openWith(await tokenFor(user))));
    if (!ada || !bob) throw new Error('expected two clients');
    expect(ada.socket.protocol).toBe('fanwire');
    expect(await ada.ask({ action: 'whoami' })).toMatchObject({ userId: 'ada' });
    await bob.ask({ action: 'subscribe', topic: 'chat/lobby' });
    await ada.ask({ action: 'publish', topic: 'chat/lobby', data: 'hi' });
    const message = await bob.wait(({ type }) => type === 'message');
    expect(message).toMatchObject({ data: 'hi', publisher: { userId: 'ada' } });
    expect(message.publisher).not.toHaveProperty('connectionId');
    await ada.ask({ action: 'send', to: { userId: 'bob' }, data: 'psst' });
    expect(await bob.wait(({ data }) => data === 'psst')).toMatchObject({ publisher: { userId: 'ada' } });
  });

  it.each<[string, object]>([
    ['the inbox of somebody else', { action: 'subscribe', topic: 'inbox/bob/mail' }],
    ['all inboxes', { action: 'subscribe', topic: 'inbox/*' }],
    ['an inbox whose name begins like its own', { action: 'history', topic: 'inbox/adam/mail' }],
    [
      'a version in the second of its topics',
      { action: 'publish', messages: [{ topics: ['state/mine', 'state/door'], data: 1, version: 7 }] },
    ],
    ['a version', { action: 'publish', topic: 'state/door', data: 1, version: 9_007_199_254_740_991 }],
    [
      'one topic among others',
      { action: 'publish', messages: [{ topics: ['chat/lobby', 'inbox/bob/mail'], data: 1 }] },
    ],
  ])('has no right to %s', async (_, command) => {
    const ada = await openWith(await tokenFor('ada'));
    expect(await ada.ask(command)).toMatchObject({ type: 'error', code: 'forbidden' });
    expect(await ada.ask({ action: 'subscribe', topic: 'inbox/ada/mail' })).toMatchObject({ type: 'ack' });
    expect(await ada.ask({ action: 'publish', topic: 'state/door', data: 1 })).toMatchObject({ type: 'ack' });
  });

  it('has what the back end grants beyond the settings, for one topic alone', async () => {
    const ada = await openWith(await tokenFor('ada', { topic: 'team', rights: ['subscribe'] } as never));
    expect(await ada.ask({ action: 'subscribe', topic: 'team' })).toMatchObject({ type: 'ack' });
    for (const topic of ['team/private', 'team/*', 'teams']) {
      expect(await ada.ask({ action: 'subscribe', topic })).toMatchObject({ code: 'forbidden' });
    }
  });
});

it('the client brings its token, and gets its mail', async () => {
  const client = connect({ url: system.ready.websocketUrl, token: () => tokenFor('ada') });
  try {
    const inbox = client.subscribe('inbox/ada/mail');
    await inbox.ready;
    expect(await client.whoami()).toMatchObject({ userId: 'ada' });
    client.on('error', () => {}); // of the subscription that is refused
    const refused = client.subscribe('inbox/bob/mail');
    await expect(refused.ready).rejects.toMatchObject({ code: 'forbidden' });
    const { endpoint, region, accessKeyId, secretAccessKey, eventBusName } = system.ready;
    const bus = new EventBridgeClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
    const Detail = JSON.stringify({ topic: 'inbox/ada/mail', data: 'a letter' });
    const entry = { EventBusName: eventBusName, Source: 'mail', DetailType: 'fanwire.publish', Detail };
    await bus.send(new PutEventsCommand({ Entries: [entry] }));
    const { value } = await inbox[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ data: 'a letter', offset: 1 });
  } finally {
    client.close();
  }
});

it.each(['auth0|5f7c8ec7', '../bob', '*', 'a b'])('lets %s in, with an inbox of its own', async (name) => {
  const client = await openWith(await tokenFor(name));
  const userId = escapeSegment(name);
  expect(await client.ask({ action: 'whoami' })).toMatchObject({ userId });
  expect(await client.ask({ action: 'subscribe', topic: `inbox/${userId}/mail` })).toMatchObject({
    type: 'ack',
  });
  expect(await client.ask({ action: 'subscribe', topic: 'inbox/bob/mail' })).toMatchObject({
    code: 'forbidden',
  });
  await client.ask({ action: 'send', to: { userId }, data: 'to myself' });
  expect(await client.wait(({ data }) => data === 'to myself')).toMatchObject({ publisher: { userId } });
});

describe('a token', () => {
  it('signed with the secret before the last rotation is good still', async () => {
    expect(previousSecret).not.toBe(await secretNow());
    const ada = await openWith(
      await grant({ userId: 'ada', rights: {}, expiresIn: 60 }, { secret: previousSecret, audience }),
    );
    expect(await ada.ask({ action: 'whoami' })).toMatchObject({ userId: 'ada' });
  });

  it('that cannot be trusted is refused, and is in no log', async () => {
    const good = await tokenFor('ada');
    const [head, , signature] = good.split('.');
    const payload = Buffer.from('{"iss":"fanwire","sub":"root"}').toString('base64url');
    const bad = [
      `${head}.${payload}.${signature}`,
      `${good.slice(0, -4)}AAAA`,
      'no-token',
      await tokenFor('ada', {}, Date.now() - 2 * 3_600 * SECOND_MS),
      await grant({ userId: 'ada', rights: {}, expiresIn: 60 }, { secret: 'x'.repeat(64), audience }),
      await grant(
        { userId: 'ada', rights: {}, expiresIn: 60 },
        { secret: await secretNow(), audience: 'https://other.example.com/prod' },
      ),
    ];
    for (const token of bad) expect(await statusOf(token)).toBe(401);
    expect(await statusOf(good, `${system.ready.websocketUrl}?token=${good}`)).toBe(401);
    for (const token of [good, ...bad.slice(0, 2)]) expect(system.output()).not.toContain(token);
  });
});
