import { afterEach, expect, it } from 'vitest';
import type { ManagementFault } from '../../infra/local/gateway/gateway.ts';
import { decodeJob } from '../../shared/delivery/job.ts';
import { BackEnd } from '../back-end.ts';
import { Client } from '../client.ts';
import { bootLocal } from '../local.ts';
import { until } from '../until.ts';

let stop = async () => {};
afterEach(() => stop());

/** A system in which calls to @connections go as `fates` says, and every post is counted. */
async function system(fates: Map<string, () => ManagementFault | undefined>) {
  const posts: Record<string, number> = {};
  const local = await bootLocal({
    app: 'test/apps/impatient.ts',
    fault: (method, connectionId) => {
      if (method !== 'POST') return undefined;
      posts[connectionId] = (posts[connectionId] ?? 0) + 1;
      return fates.get(connectionId)?.();
    },
  });
  stop = local.stop;
  const open = async (topic?: string) => {
    const client = await Client.open(local.ready.websocketUrl);
    if (topic) await client.subscribe(topic);
    const { connectionId } = await client.ask({ action: 'whoami' });
    return { client, connectionId: String(connectionId) };
  };
  return { backEnd: new BackEnd(local.ready), posts, open };
}

it('retries a failing connection alone, and gives it up with its reason', async () => {
  const fates = new Map<string, () => ManagementFault | undefined>();
  const { backEnd, posts, open } = await system(fates);
  const others = await Promise.all([open('news'), open('news'), open('news')]);
  const failing = await open('news');
  const answers: ManagementFault[] = [500, 'hang', 'hang'];
  fates.set(failing.connectionId, () => answers.shift());

  await backEnd.publish({ topic: 'news', data: 'hello' });
  await Promise.all(others.map(({ client }) => client.message('hello')));
  await until(async () => (await backEnd.depth('deliveryDeadLetters')) > 0);

  expect(posts[failing.connectionId]).toBe(3);
  for (const { client, connectionId } of others) {
    expect([posts[connectionId], client.messages.length]).toEqual([1, 1]);
  }
  const [letter, ...more] = await backEnd.drain('deliveryDeadLetters');
  expect(more).toEqual([]);
  expect(letter?.MessageAttributes?.reason?.StringValue).toBe('no answer within 200 ms (attempt 3 of 3)');
  const job = decodeJob(String(letter?.Body));
  expect(job).toMatchObject({ topic: 'news', connectionIds: [failing.connectionId] });
  expect(job.frames.map((frame) => JSON.parse(frame).data)).toEqual(['hello']);
  await until(async () => Object.values(await backEnd.depths()).every((depth) => depth === 0));
});

it('serves a connection that fails once on its second try', async () => {
  const fates = new Map<string, () => ManagementFault | undefined>();
  const { backEnd, posts, open } = await system(fates);
  const { client, connectionId } = await open('news');
  const answers: ManagementFault[] = [429];
  fates.set(connectionId, () => answers.shift());
  await backEnd.publish({ topic: 'news', data: 'hello' });
  await client.message('hello');
  expect(posts[connectionId]).toBe(2);
  expect(await backEnd.depth('deliveryDeadLetters')).toBe(0);
});

it.each([
  ['few enough to be served inline', 3],
  ['so many that they are split into jobs', 8],
])('forgets a connection that is gone without a $disconnect, among %s', async (_, count) => {
  const fates = new Map<string, () => ManagementFault | undefined>();
  const { backEnd, posts, open } = await system(fates);
  const others = await Promise.all(Array.from({ length: count }, () => open('news')));
  const gone = await open('news');
  await gone.client.subscribe('news/*');
  fates.set(gone.connectionId, () => 410);

  await backEnd.publish({ topic: 'news', data: 'first' });
  await Promise.all(others.map(({ client }) => client.message('first')));
  await until(async () => !(await backEnd.connectionsWithRows()).has(gone.connectionId));
  await backEnd.publish({ topic: 'news', data: 'second' });
  await Promise.all(others.map(({ client }) => client.message('second')));

  expect(posts[gone.connectionId]).toBe(1);
  expect((await backEnd.connectionsWithRows()).size).toBe(count);
  for (const { client } of others) expect(client.messages).toHaveLength(2);
});

it('refuses a subscription over the limit of a connection, and writes nothing of it', async () => {
  const { backEnd, open } = await system(new Map());
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
