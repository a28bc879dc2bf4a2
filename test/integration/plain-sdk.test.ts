import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import { until } from '../support/until.ts';

/** The whole system with the official clients as they come, for the day that ours are not to be trusted. */

let local: Runtime;
const clients: Client[] = [];
beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/plain-sdk.ts' });
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await local?.stop();
});

async function open(): Promise<Client> {
  const client = await Client.open(local.ready.websocketUrl);
  clients.push(client);
  return client;
}

it('publishes, subscribes and receives', async () => {
  const [one, two] = await Promise.all([open(), open()]);
  for (const client of [one, two]) await client.subscribe('news');
  expect(await one.ask({ action: 'publish', topic: 'news', data: 1 })).toMatchObject({ type: 'ack' });
  for (const client of [one, two]) expect(await client.message(1)).toMatchObject({ topic: 'news' });
  await new BackEnd(local.ready).publish({ topic: 'news', data: 2 });
  for (const client of [one, two]) expect(await client.message(2)).toMatchObject({ topic: 'news' });
  expect(await one.ask({ action: 'unsubscribe', topic: 'news' })).toMatchObject({ type: 'ack' });
});

it('keeps a history, and replays it', async () => {
  const [one, two] = await Promise.all([open(), open()]);
  await one.subscribe('chat/a');
  await one.ask({ action: 'publish', topic: 'chat/a', data: 'first' });
  const { offset, epoch } = await one.message('first');
  expect(await two.ask({ action: 'subscribe', topic: 'chat/a', rewind: 1 })).toMatchObject({
    type: 'ack',
    messages: [{ data: 'first', offset }],
  });
  const positions = [{ topic: 'chat/a', epoch, offset }];
  expect(await two.ask({ action: 'ping', positions })).toMatchObject({ type: 'ack', action: 'ping' });
  expect(await two.ask({ action: 'history', topic: 'chat/a' })).toMatchObject({ messages: [{ offset }] });
});

it('sends to one connection, and forgets those that are gone', async () => {
  const [one, two] = await Promise.all([open(), open()]);
  const { connectionId } = await two.ask({ action: 'whoami' });
  await one.ask({ action: 'send', to: { connectionId }, data: 'hello' });
  expect(await two.message('hello')).toMatchObject({ data: 'hello' });
  await two.subscribe('rows');
  await two.close();
  const backEnd = new BackEnd(local.ready);
  await backEnd.publish({ topic: 'rows', data: 3 });
  await until(async () => !(await backEnd.connectionsWithRows()).has(connectionId));
});
