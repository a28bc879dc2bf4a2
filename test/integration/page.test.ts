import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal } from '../support/local.ts';
import { until } from '../support/until.ts';

/** What PROTOCOL.md says to authors of clients, and the tests of no single part would notice. */

let local: Runtime;
let client: Client;

beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/namespaces.ts', faults: NO_FAULTS });
  client = await Client.open(local.ready.websocketUrl);
});
afterAll(() => local?.stop());

const topicIn = (namespace: string) => `${namespace}/${randomUUID()}`;
const publish = (topic: string, data: unknown) => client.ask({ action: 'publish', topic, data });

it('answers `gone` to subscribe and ping on a connection that was given up, and carries out the rest', async () => {
  const given = await Client.open(local.ready.websocketUrl);
  const { connectionId } = await given.ask({ action: 'whoami' });
  const topic = topicIn('chat');
  await given.subscribe(topic);
  const faults = new Faults(local.ready);
  await faults.set({
    faults: [{ on: '@connections', method: 'POST', connectionId, effect: 'answer', status: 410 }],
  });
  await publish(topic, 'to somebody who is gone');
  const ping = () => given.ask({ action: 'ping' });
  await until(async () => (await ping()).type === 'error');
  await faults.clear();
  const commands = [
    { action: 'ping' },
    { action: 'subscribe', topic },
    { action: 'subscribe', topic: 'quick/*' },
    { action: 'unsubscribe', topic },
    { action: 'publish', topic, data: 1 },
    { action: 'send', to: { userId: 'alice' }, data: 1 },
    { action: 'history', topic },
    { action: 'whoami' },
  ];
  const replies = await Promise.all(commands.map((command) => given.ask(command)));
  expect(replies.map(({ code, type }) => code ?? type)).toEqual([
    ...['gone', 'gone', 'gone'],
    ...['ack', 'ack', 'ack', 'ack', 'ack'],
  ]);
  await given.close();
});

describe('a reply that says `recovered: false`', () => {
  it('has the newest offset, from which the live feed goes on, and no messages', async () => {
    const topic = topicIn('short');
    const { epoch } = await publish(topic, 1);
    for (let n = 2; n <= 8; n++) await publish(topic, n);
    const position = { epoch, offset: 1 };
    const lost = { epoch, offset: 8, recovered: false, reason: 'trimmed' };
    const subscribed = await client.ask({ action: 'subscribe', topic, position });
    const page = await client.ask({ action: 'history', topic, after: position });
    expect([subscribed, page]).toMatchObject([lost, lost]);
    expect([subscribed.messages, page.messages]).toEqual([undefined, []]);
    await publish(topic, 'next');
    expect(await client.message('next')).toMatchObject({ epoch, offset: 9 });
  });

  it('has the epoch that is, if the position is of another', async () => {
    const topic = topicIn('chat');
    const { epoch } = await publish(topic, 1);
    const position = { epoch: 'another', offset: 7 };
    for (const command of [
      { action: 'subscribe', topic, position },
      { action: 'history', topic, after: position },
    ]) {
      expect(await client.ask(command)).toMatchObject({
        epoch,
        offset: 1,
        recovered: false,
        reason: 'epoch',
      });
    }
  });
});

it('leaves `messages` out where there are none', async () => {
  const topic = topicIn('chat');
  const { epoch } = await client.ask({ action: 'subscribe', topic });
  const position = { epoch, offset: 0 };
  for (const command of [
    { action: 'subscribe', topic },
    { action: 'subscribe', topic, rewind: 5 },
    { action: 'subscribe', topic, position },
    { action: 'history', topic },
    { action: 'history', topic, after: position },
    { action: 'history', topic, reverse: true },
  ]) {
    expect(await client.ask(command)).not.toHaveProperty('messages');
  }
});

it('sends one frame to a connection with a topic and wildcards over it', async () => {
  const topic = `${topicIn('chat')}/deep`;
  const covering = [topic, `${topic}/*`, `${topic.split('/').slice(0, 2).join('/')}/*`, 'chat/*'];
  const listener = await Client.open(local.ready.websocketUrl);
  await Promise.all(covering.map((pattern) => listener.subscribe(pattern)));
  await publish(topic, 'once');
  await publish(topic, 'then');
  await listener.message('then');
  const came = listener.messages.filter(({ data }) => data === 'once');
  expect(came).toMatchObject([{ topic, offset: 1 }]);
  await listener.close();
});

it('compares 1 to 100 positions with a ping, and refuses others', async () => {
  const ping = (count: number) => {
    const position = { topic: 'chat/a', epoch: 'e', offset: 1 };
    return client.ask({ action: 'ping', positions: Array(count).fill(position) });
  };
  const replies = await Promise.all([0, 1, 100, 101].map(ping));
  expect(replies.map(({ code, type }) => code ?? type)).toEqual(['bad_request', 'ack', 'ack', 'bad_request']);
});

describe('a frame', () => {
  /** A publish of so many bytes in UTF-8, of which most characters have two. */
  const frameOf = (bytes: number): string => {
    const frame = (data: string) => `{"action":"publish","topic":"quick","id":"large","data":"${data}"}`;
    const left = bytes - Buffer.byteLength(frame(''));
    return frame('é'.repeat(Math.floor(left / 2)) + 'e'.repeat(left % 2));
  };

  it('may have 32,768 bytes in UTF-8, and no more', async () => {
    const fits = await Client.open(local.ready.websocketUrl);
    fits.send(frameOf(32_768));
    expect(await fits.wait(({ id }) => id === 'large')).toMatchObject({ type: 'ack' });
    expect(frameOf(32_769).length).toBeLessThan(17_000);
    const closed = once(fits.socket, 'close');
    fits.send(frameOf(32_769));
    expect((await closed)[0]).toBe(1009);
  });

  it('from the server may be larger', async () => {
    const topic = topicIn('quick');
    await client.subscribe(topic);
    const data = 'x'.repeat(129_022);
    await new BackEnd(local.ready).publish({ topic, data });
    expect(await client.message(data)).toMatchObject({ topic });
  });
});
