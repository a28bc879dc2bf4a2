import { once } from 'node:events';
import {
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { DATA_BYTES_MAX } from '../../shared/protocol/frames.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

let system: System;
let backEnd: BackEnd;
let url: string;

beforeAll(async () => {
  system = await startSystem();
  backEnd = new BackEnd(system.ready);
  url = system.ready.websocketUrl;
});
afterAll(() => system?.stop());

const open = (query = '') => Client.open(url + query);

describe('a client', () => {
  it('publishes several messages in one frame, in order', async () => {
    const [publisher, subscriber] = [await open(), await open()];
    await subscriber.subscribe('batch/*');
    const messages = Array.from({ length: 10 }, (_, n) => ({ topic: 'batch/one', data: n }));
    const { messageIds } = await publisher.ask({ action: 'publish', messages });
    await subscriber.message(9);
    expect(subscriber.messages.map(({ data }) => data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(subscriber.messages.map(({ messageId }) => messageId)).toEqual(messageIds);
    await Promise.all([publisher.close(), subscriber.close()]);
  });

  it('gets a message once when several of its subscriptions cover the topic', async () => {
    const client = await open();
    for (const topic of ['twice/a', 'twice/*', 'twice/a/*', 'twice/a']) await client.subscribe(topic);
    await client.ask({ action: 'publish', topic: 'twice/a', data: 'first' });
    await client.message('first'); // a volatile topic keeps no order
    await client.ask({ action: 'publish', topic: 'twice/a', data: 'second' });
    await client.message('second');
    expect(client.messages.map(({ data }) => data)).toEqual(['first', 'second']);
    await client.close();
  });

  it('gets a message of a topic that keeps history as PROTOCOL.md has it', async () => {
    const client = await open();
    const topic = 'chat/shape';
    const subscribed = await client.ask({ action: 'subscribe', topic, id: 's' });
    expect(subscribed).toEqual({
      type: 'ack',
      id: expect.any(String),
      action: 'subscribe',
      topic,
      epoch: expect.stringMatching(/^new-\w+$/),
      offset: 0,
    });
    const publish = { action: 'publish', topic, data: 1, receipt: true };
    const { id, messageId, epoch } = await client.ask(publish);
    expect(epoch).toMatch(/^[\w-]{1,64}$/);
    const { connectionId } = await client.ask({ action: 'whoami' });
    const message = {
      messageId,
      offset: 1,
      publishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      publisher: { connectionId },
      data: 1,
    };
    expect(await client.message(1)).toEqual({ type: 'message', topic, epoch, ...message });
    expect(await client.wait(({ type }) => type === 'receipt')).toEqual({
      ...{ type: 'receipt', id, messageId, topic, epoch, offset: 1 },
    });
    expect(await client.ask({ action: 'history', topic })).toEqual({
      ...{ type: 'ack', id: expect.any(String), action: 'history', topic, epoch, offset: 1 },
      messages: [message],
    });
    await client.close();
  });

  it('gets a message as PROTOCOL.md has it', async () => {
    const client = await open();
    await client.subscribe('shape/a');
    const { connectionId } = await client.ask({ action: 'whoami' });
    const { messageId } = await client.ask({
      action: 'publish',
      topic: 'shape/a',
      data: { deep: ['é', null] },
    });
    expect(await client.message({ deep: ['é', null] })).toEqual({
      type: 'message',
      topic: 'shape/a',
      messageId,
      publishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      publisher: { connectionId },
      data: { deep: ['é', null] },
    });
    await client.close();
  });

  it('sends to a connection and to every connection of a user', async () => {
    const [sender, phone, laptop] = [await open(), await open('?userId=dora'), await open('?userId=dora')];
    const { connectionId } = await phone.ask({ action: 'whoami' });
    await sender.ask({ action: 'send', to: { connectionId }, data: 'to the phone' });
    await sender.ask({ action: 'send', to: { userId: 'dora' }, data: 'to Dora' });
    await Promise.all([phone.message('to Dora'), laptop.message('to Dora'), phone.message('to the phone')]);
    expect(laptop.messages.map(({ data }) => data)).toEqual(['to Dora']);
    await Promise.all([sender.close(), phone.close(), laptop.close()]);
  });

  it('learns who it is', async () => {
    const client = await open('?userId=emil');
    expect(await client.ask({ action: 'whoami' })).toMatchObject({
      type: 'ack',
      connectionId: expect.stringMatching(/^[\w-]{15}=$/),
      userId: 'emil',
      endpoint: url.replace('ws', 'http'),
    });
    expect(await client.ask({ action: 'ping' })).toEqual({ type: 'ack', id: 't2', action: 'ping' });
    await client.close();
  });

  it('that claims to be a user with a bad name is refused', async () => {
    const socket = new WebSocket(`${url}?userId=a%20b`);
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('400');
  });
});

describe.concurrent('bad input gets an error frame, and the connection stays open', () => {
  const topic = 'errors/a';
  const deep = `{"action":"publish","topic":"errors/a","data":${'['.repeat(9_000)}${']'.repeat(9_000)}}`;
  it.each([
    ['no JSON', 'hello', 'bad_request', 'expected a frame of JSON, got "hello"'],
    ['JSON that is no object', '[1,2]', 'bad_request', 'expected a JSON object, got [1,2]'],
    ['an unknown action', { action: 'shout' }, 'unknown_action', 'expected action to be one of'],
    ['no action', {}, 'unknown_action', 'got nothing'],
    ['a lifecycle action', { action: '$connect' }, 'unknown_action', 'got "$connect"'],
    ['no topic', { action: 'subscribe' }, 'bad_request', 'expected topic to be a string, got nothing'],
    [
      'a malformed topic',
      { action: 'subscribe', topic: 'a b' },
      'bad_request',
      'expected every topic segment',
    ],
    [
      'a topic too long',
      { action: 'subscribe', topic: 'x'.repeat(129) },
      'bad_request',
      'at most 128 characters, got 129',
    ],
    [
      'a topic too deep',
      { action: 'publish', topic: 'a/b/c/d/e/f', data: 1 },
      'bad_request',
      '1 to 5 segments',
    ],
    [
      '* in the middle',
      { action: 'subscribe', topic: 'a/*/b' },
      'bad_request',
      "expected '*' only as the last segment",
    ],
    [
      'a publish to a wildcard',
      { action: 'publish', topic: 'a/*', data: 1 },
      'bad_request',
      'expected every topic segment',
    ],
    [
      'no data',
      { action: 'publish', topic },
      'bad_request',
      'expected data to be any JSON value, got nothing',
    ],
    ['an unknown field', { action: 'publish', topic, data: 1, dta: 1 }, 'bad_request', 'got "dta"'],
    [
      'too many messages',
      { action: 'publish', messages: Array(11).fill({ topic, data: 1 }) },
      'bad_request',
      'got 11',
    ],
    [
      'too much data',
      { action: 'publish', topic, data: 'x'.repeat(DATA_BYTES_MAX - 1) },
      'too_large',
      `bytes of data in one frame, got ${DATA_BYTES_MAX + 1}`,
    ],
    ['data too deep', deep, 'bad_request', 'levels, got more'],
    ['nobody to send to', { action: 'send', data: 1 }, 'bad_request', 'expected to to be'],
    ['an id that is no string', { action: 'ping', id: 7 }, 'bad_request', 'expected id to be a string'],
  ])('%s', async (name, frame, code, message) => {
    const client = await open();
    const own = `after/${name.replaceAll(/\W/g, '-')}`;
    for (const each of ['errors/*', own]) await client.subscribe(each);
    client.sendInFrames(typeof frame === 'string' ? frame : JSON.stringify(frame));
    const error = await client.wait(({ type }) => type === 'error');
    expect(error).toEqual({ type: 'error', code, message: expect.stringContaining(message) });
    // Still open, and nothing was published.
    await client.ask({ action: 'publish', topic: own, data: 'after' });
    await client.message('after');
    expect(client.messages).toHaveLength(1);
    await client.close();
  });

  it('carries the id of the command', async () => {
    const client = await open();
    expect(await client.ask({ action: 'subscribe' })).toMatchObject({ type: 'error', id: 't1' });
    await client.close();
  });
});

describe('a back end with nothing but the ready file', () => {
  it('pushes to a topic, a user, a connection and everyone', async () => {
    const [anna, ben] = [await open('?userId=anna'), await open('?userId=ben')];
    await anna.subscribe('orders/42');
    const { connectionId } = await ben.ask({ action: 'whoami' });
    const [eventId] = await backEnd.publish(
      { topic: 'orders/42', data: 'shipped' },
      { to: { userId: 'anna' }, data: 'hi Anna' },
      { to: { connectionId }, data: 'hi Ben' },
      { to: 'everyone', data: 'hi all' },
    );
    await Promise.all(['shipped', 'hi Anna', 'hi all'].map((data) => anna.message(data)));
    await Promise.all(['hi Ben', 'hi all'].map((data) => ben.message(data)));
    expect([anna.messages.length, ben.messages.length]).toEqual([3, 2]);
    expect(await anna.message('shipped')).toMatchObject({ messageId: eventId, publisher: {} });
    await Promise.all([anna.close(), ben.close()]);
  });

  it('posts to, looks at and closes the connection that whoami named', async () => {
    const client = await open();
    const { connectionId: ConnectionId } = await client.ask({ action: 'whoami' });
    const { management } = backEnd;
    await management.send(new PostToConnectionCommand({ ConnectionId, Data: '{"from":"the back end"}' }));
    await client.wait(({ from }) => from === 'the back end');
    const { ConnectedAt, Identity } = await management.send(new GetConnectionCommand({ ConnectionId }));
    expect(ConnectedAt).toBeInstanceOf(Date);
    expect(Identity?.SourceIp).toBe('127.0.0.1');
    const closed = once(client.socket, 'close');
    await management.send(new DeleteConnectionCommand({ ConnectionId }));
    expect((await closed)[0]).toBe(1000);
    await expect(management.send(new GetConnectionCommand({ ConnectionId }))).rejects.toBeInstanceOf(
      GoneException,
    );
  });

  it('finds its bad event in the dead letters, with the reason, and its good ones delivered', async () => {
    const client = await open();
    await client.subscribe('mixed/a');
    await backEnd.publish(
      { topic: 'mixed/a', data: 1 },
      { topic: 'mixed/*', data: 'bad topic' },
      { topik: 'mixed/a', data: 'typo' },
      { topic: 'mixed/a', data: 2 },
    );
    await Promise.all([client.message(1), client.message(2)]);
    await until(async () => (await backEnd.depth('ingestDeadLetters')) === 2);
    const letters = await backEnd.drain('ingestDeadLetters');
    const reasons = letters.map(({ Body, MessageAttributes }) => [
      JSON.parse(String(Body)).detail.data,
      MessageAttributes?.reason?.StringValue,
    ]);
    expect(Object.fromEntries(reasons)).toEqual({
      'bad topic': 'expected every topic segment to be one or more of A-Z a-z 0-9 _ . ~ : @ -, got "mixed/*"',
      typo: expect.stringContaining('got "topik"'),
    });
    expect(client.messages).toHaveLength(2);
    await client.close();
  });
});

it.each([
  ['that says goodbye', (client: Client) => client.socket.close()],
  ['that vanishes without a close frame', (client: Client) => client.socket.terminate()],
])('leaves no row of a client %s', async (_, leave) => {
  const [leaving, staying] = [await open(), await open()];
  const { connectionId } = await leaving.ask({ action: 'whoami' });
  await Promise.all([
    leaving.subscribe('leave/a'),
    leaving.subscribe('leave/*'),
    staying.subscribe('leave/a'),
  ]);
  expect(await backEnd.connectionsWithRows()).toContain(connectionId);
  leave(leaving);
  await backEnd.publish({ topic: 'leave/a', data: 'still here' });
  await staying.message('still here');
  await until(async () => !(await backEnd.connectionsWithRows()).has(connectionId));
  await staying.close();
});

/** As an account's quota admits them: 500 a second, and the others when they try again. */
async function openMany(count: number): Promise<Client[]> {
  const clients: Client[] = [];
  await until(async () => {
    const wanted = Math.min(50, count - clients.length);
    const opened = await Promise.allSettled(Array.from({ length: wanted }, () => open()));
    for (const result of opened) {
      if (result.status === 'fulfilled') clients.push(result.value);
      else expect(String(result.reason)).toContain('429');
    }
    return clients.length === count;
  });
  return clients;
}

it('delivers 50 messages to 1,000 connections, each exactly once, and ends with empty queues', async () => {
  const clients = await openMany(1_000);
  await Promise.all(clients.map((client) => client.subscribe('crowd/all')));
  for (let n = 0; n < 50; n++) await backEnd.publish({ topic: 'crowd/all', data: n });
  await Promise.all(clients.flatMap((client) => Array.from({ length: 50 }, (_, n) => client.message(n))));
  await until(async () => Object.values(await backEnd.depths()).every((depth) => depth === 0));
  const expected = Array.from({ length: 50 }, (_, n) => n);
  for (const client of clients) {
    expect(client.messages.map(({ data }) => data).sort((a, b) => a - b)).toEqual(expected);
  }
  await Promise.all(clients.map((client) => client.close()));
}, 120_000);
