import { GetConnectionCommand, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../shared/client/index.ts';
import { DEMO_APP } from '../support/apps.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { Wscat } from '../support/wscat.ts';

/** What somebody meets who has just typed `npm start`: the demo, where who has no token may chat. */

let system: System;
let backEnd: BackEnd;
let url: string;

beforeAll(async () => {
  system = await startSystem({ app: DEMO_APP, afresh: true });
  backEnd = new BackEnd(system.ready);
  url = system.ready.websocketUrl;
});
afterAll(() => system?.stop());

it('tells a person who has just started it where everything is', async () => {
  const { websocketUrl, consoleUrl, endpoint } = system.ready;
  await until(() => system.output().includes('Ctrl-C'));
  for (const line of [websocketUrl, consoleUrl, endpoint, `npx wscat -c ${websocketUrl}`]) {
    expect(system.output()).toContain(line);
  }
});

it('answers a health check with what the ready file says, without the secret', async () => {
  const response = await fetch(`${system.ready.endpoint}/_fanwire/health`);
  const { secretAccessKey, ...rest } = system.ready;
  expect([response.status, await response.json()]).toEqual([200, rest]);
});

it('serves three people with wscat: what they subscribed to, once, until they unsubscribe', async () => {
  const people = await Promise.all([Wscat.connect(url), Wscat.connect(url), Wscat.connect(url)]);
  const [anna, ben, cleo] = people as [Wscat, Wscat, Wscat];
  const subscribe = async (person: Wscat, topic: string) => {
    person.type({ action: 'subscribe', topic, id: `sub ${topic}` });
    await person.sees(`"id":"sub ${topic}"`);
  };
  await Promise.all([subscribe(anna, 'chat/lobby'), subscribe(ben, 'chat/lobby'), subscribe(cleo, 'chat/*')]);

  anna.type({ action: 'publish', topic: 'chat/lobby', data: 'to all three' });
  await Promise.all(people.map((person) => person.sees('to all three')));
  anna.type({ action: 'publish', topic: 'chat/other', data: 'to Cleo only' });
  await cleo.sees('to Cleo only');

  ben.type({ action: 'unsubscribe', topic: 'chat/lobby', id: 'unsub' });
  await ben.sees('"id":"unsub"');
  anna.type({ action: 'publish', topic: 'chat/lobby', data: 'without Ben' });
  await Promise.all([anna.sees('without Ben'), cleo.sees('without Ben')]);
  // Whatever was on its way to Ben has come before what is sent to him now.
  ben.type({ action: 'subscribe', topic: 'chat/ben', id: 'again' });
  await ben.sees('"id":"again"');
  anna.type({ action: 'publish', topic: 'chat/ben', data: 'the end' });
  await Promise.all([ben.sees('the end'), cleo.sees('the end')]);

  expect(people.map((person) => person.count('to all three'))).toEqual([1, 1, 1]);
  expect(people.map((person) => person.count('to Cleo only'))).toEqual([0, 0, 1]);
  expect(people.map((person) => person.count('without Ben'))).toEqual([1, 0, 1]);
  await Promise.all(people.map((person) => person.quit()));
});

it('suggests commands that work', async () => {
  const suggested = system
    .output()
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('{'));
  const client = await Client.open(url);
  for (const line of suggested) {
    expect(await client.ask(JSON.parse(line))).toMatchObject({ type: 'ack' });
  }
  expect(await client.message('hello')).toMatchObject({ topic: 'chat/lobby', publisher: {} });
  await client.close();
});

describe('somebody without a token', () => {
  it('may chat, also through the client, and be pushed to by a back end', async () => {
    const client = connect({ url });
    const subscription = client.subscribe('chat/garden', { rewind: 10 });
    await subscription.ready;
    await client.publish('chat/garden', 'from a client', { stored: true });
    await backEnd.publish({ topic: 'chat/garden', data: 'from a back end' });
    const seen: unknown[] = [];
    for await (const { data } of subscription) {
      seen.push(data);
      if (seen.length === 2) break;
    }
    expect(seen.toSorted()).toEqual(['from a back end', 'from a client']);
    expect((await client.history('chat/garden')).messages).toHaveLength(2);
    const all = new Promise((resolve) => client.on('message', ({ data }) => resolve(data)));
    await backEnd.publish({ to: 'everyone', data: 'hi all' });
    expect(await all).toBe('hi all');
    client.close();
  });

  it('is nobody, whoever it says it is, and may do nothing else', async () => {
    const client = await Client.open(`${url}?userId=root`);
    expect(await client.ask({ action: 'whoami' })).toEqual({
      ...{ type: 'ack', id: expect.any(String), action: 'whoami' },
      connectionId: expect.any(String),
      endpoint: url.replace('ws', 'http'),
    });
    const refused = [
      { action: 'subscribe', topic: 'orders/42' },
      { action: 'subscribe', topic: 'chats/*' },
      { action: 'publish', topic: 'orders/42', data: 1 },
      { action: 'publish', topic: 'chat/lobby', data: 1, version: 1 },
      { action: 'history', topic: 'orders/42' },
      { action: 'send', to: { userId: 'root' }, data: 1 },
    ];
    for (const command of refused) {
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'forbidden' });
    }
    await client.close();
  });

  it('is refused with a token: none is taken', async () => {
    await expect(Client.open(url, ['fanwire', 'bearer.e30.e30.e30'])).rejects.toThrow('401');
  });

  it('can be posted to by who has the rights, at what whoami says', async () => {
    const client = await Client.open(url);
    const { connectionId: ConnectionId } = await client.ask({ action: 'whoami' });
    const { management } = backEnd;
    expect(await management.send(new GetConnectionCommand({ ConnectionId }))).toHaveProperty('ConnectedAt');
    await management.send(new PostToConnectionCommand({ ConnectionId, Data: '{"from":"the back end"}' }));
    await client.wait(({ from }) => from === 'the back end');
    await client.close();
  });
});
