import { beforeAll, expect, test } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { decodeJob } from '../../shared/queues/job.ts';
import { synthesiseAll } from '../support/assemblies.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal } from '../support/local.ts';
import { until } from '../support/until.ts';

const APP = 'test/apps/impatient.ts';
beforeAll(() => synthesiseAll(APP));

function useOf(local: Runtime) {
  const open = async (topic?: string) => {
    const client = await Client.open(local.ready.websocketUrl);
    if (topic) await client.subscribe(topic);
    const { connectionId } = await client.ask({ action: 'whoami' });
    return { client, connectionId: String(connectionId) };
  };
  return { backEnd: new BackEnd(local.ready), faults: new Faults(local.ready), open };
}

/** Each test has a system of its own. Posts of this app do not wait long, so that no other test may hold them up. */
const it = test.extend<{ system: ReturnType<typeof useOf> }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture needs from its pattern
  system: async ({}, use) => {
    const local = await bootLocal({ app: APP, faults: NO_FAULTS });
    await use(useOf(local));
    await local.stop();
  },
});

it('retries a failing connection alone, and gives it up with its reason', async ({ system }) => {
  const { backEnd, faults, open } = system;
  const others = await Promise.all([open('news'), open('news'), open('news')]);
  const failing = await open('news');
  const posts = { on: '@connections', method: 'POST', connectionId: failing.connectionId } as const;
  await faults.set({
    faults: [
      { ...posts, effect: 'answer', status: 500, times: 1 },
      { ...posts, effect: 'hang' },
    ],
  });

  await backEnd.publish({ topic: 'news', data: 'hello' });
  await Promise.all(others.map(({ client }) => client.message('hello')));
  await until(async () => (await backEnd.depth('deliveryDeadLetters')) > 0);

  // Once within the grace, and once in all of its time.
  expect(await faults.strikes()).toEqual([1, 2]);
  for (const { client } of others) expect(client.messages).toHaveLength(1);
  const [letter, ...more] = await backEnd.drain('deliveryDeadLetters');
  expect(more).toEqual([]);
  expect(letter?.MessageAttributes?.reason?.StringValue).toBe('no answer within 200 ms (attempt 2 of 2)');
  const job = decodeJob(String(letter?.Body));
  expect(job).toMatchObject({ topic: 'news', connectionIds: [failing.connectionId] });
  expect(job.messages.map(({ json }) => JSON.parse(json).data)).toEqual(['hello']);
  await until(async () => Object.values(await backEnd.depths()).every((depth) => depth === 0));
});

it('serves a connection that fails once on its second try', async ({ system }) => {
  const { backEnd, faults, open } = system;
  const { client } = await open('news');
  await faults.set({
    faults: [{ on: '@connections', method: 'POST', effect: 'answer', status: 429, times: 1 }],
  });
  await backEnd.publish({ topic: 'news', data: 'hello' });
  await client.message('hello');
  expect(await faults.strikes()).toEqual([1]);
  expect(await backEnd.depth('deliveryDeadLetters')).toBe(0);
});

it.for([
  ['few enough to be served inline', 3],
  ['so many that they are split into jobs', 8],
] as const)(
  'forgets a connection that is gone without a $disconnect, among %s',
  async ([, count], { system }) => {
    const { backEnd, faults, open } = system;
    const others = await Promise.all(Array.from({ length: count }, () => open('news')));
    const gone = await open('news');
    await gone.client.subscribe('news/*');
    const { connectionId } = gone;
    await faults.set({
      faults: [{ on: '@connections', method: 'POST', connectionId, effect: 'answer', status: 410 }],
    });

    await backEnd.publish({ topic: 'news', data: 'first' });
    await Promise.all(others.map(({ client }) => client.message('first')));
    await until(async () => !(await backEnd.connectionsWithRows()).has(connectionId));
    await backEnd.publish({ topic: 'news', data: 'second' });
    await Promise.all(others.map(({ client }) => client.message('second')));

    expect(await faults.strikes()).toEqual([1]);
    expect((await backEnd.connectionsWithRows()).size).toBe(count);
    for (const { client } of others) expect(client.messages).toHaveLength(2);
  },
);

it('refuses a subscription over the limit of a connection, and writes nothing of it', async ({ system }) => {
  const { backEnd, open } = system;
  const { client, connectionId } = await open();
  for (const topic of ['a', 'b', 'c', 'a']) await client.subscribe(topic);
  expect(await client.ask({ action: 'subscribe', topic: 'd' })).toMatchObject({
    type: 'error',
    code: 'limit_exceeded',
    message: 'expected at most 3 subscriptions on a connection, got one more',
  });
  const rows = await backEnd.rows('subscriptions');
  expect(rows.map(({ topicShard }) => (topicShard as { S: string }).S).sort()).toEqual(['a#0', 'b#0', 'c#0']);
  await client.ask({ action: 'unsubscribe', topic: 'b' });
  await client.subscribe('d');
  expect(await backEnd.connectionsWithRows()).toEqual(new Set([connectionId]));
});
