import { expect, it } from 'vitest';
import { assemble as assemblePublish } from '../../../services/publish/assemble.ts';
import { publish } from '../../../services/publish/publish.ts';
import { assemble as assembleSend } from '../../../services/send/assemble.ts';
import { send } from '../../../services/send/send.ts';
import { assemble as assembleSubscribe } from '../../../services/subscribe/assemble.ts';
import { subscribe } from '../../../services/subscribe/subscribe.ts';
import { createConnections } from '../../../shared/data/connections.ts';
import type { RouteResult } from '../../../shared/lambda/events.ts';
import { route } from '../../../shared/lambda/route.ts';
import type { Handler } from '../../../shared/lambda/stack.ts';
import type { Rates } from '../../../shared/protocol/limits.ts';
import { parsePublish, parseSend, parseSubscribe } from '../../../shared/protocol/parse.ts';
import { MemoryDynamoDB } from '../../memory/dynamodb.ts';
import { namespacesOf } from '../../support/namespaces.ts';
import { NO_TOKENS } from '../../support/no-guard.ts';

const NOW_MS = Date.UTC(2026, 10, 28);

/** The routes that make rows or carry data, as their entries make them, over tables in memory. */
function routesWith(rates: Rates, publishBytesMax = 1_048_576) {
  const tables = new MemoryDynamoDB({ now: () => NOW_MS });
  const dynamodb = tables.client();
  const events: object[] = [];
  const eventBridge = {
    send: async ({ input }: { input: { Entries: object[] } }) => {
      events.push(...input.Entries);
      return { Entries: input.Entries.map(() => ({ EventId: 'e' })) };
    },
  } as never; // nothing else of it is called
  let ids = 0;
  const clock = { now: () => NOW_MS, wait: async () => {}, random: () => 0, newId: () => `id-${++ids}` };
  const config = {
    ...{ connectionsTable: 'connections', subscriptionsTable: 'subscriptions', topicsTable: 'topics' },
    ...{ messagesTable: 'messages', accessTable: 'access', eventBusName: 'bus', subscriptionsMax: 1_000 },
    namespaces: namespacesOf({
      chat: { history: { messages: 10, seconds: 60 } },
      state: { history: { messages: 10, seconds: 60 }, lastValue: true },
    }),
    authorization: 'none' as const,
    limits: { rates, publishBytesMax },
  };
  const forSubscribe = assembleSubscribe(config, { dynamodb, ...NO_TOKENS }, clock);
  const forPublish = assemblePublish(config, { dynamodb, eventBridge }, clock);
  const forSend = assembleSend(config, { eventBridge, late: async () => ({ dynamodb }) }, clock);
  const handlers = {
    send: route(parseSend, (input) => send(input, forSend), forSend.limits),
    subscribe: route(parseSubscribe, (input) => subscribe(input, forSubscribe), forSubscribe.limits),
    publish: route(parsePublish, (input) => publish(input, forPublish), forPublish.limits),
  };
  const ask = async (action: keyof typeof handlers, fields: object) => {
    const handler = handlers[action] as Handler<unknown, RouteResult>;
    const requestContext = { connectionId: 'c', connectedAt: NOW_MS };
    const event = { requestContext, body: JSON.stringify({ action, ...fields }) };
    const { body } = await handler(event, { awsRequestId: 'r', getRemainingTimeInMillis: () => 1_000 });
    return JSON.parse(String(body));
  };
  const open = () =>
    createConnections(dynamodb, 'connections', clock.now).open({ connectionId: 'c', connectedAtMs: NOW_MS });
  return { ask, open, tables, events };
}

const topicsNamed = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${name}/${n}`);

it('refuses one frame of much data to many topics, in any deployment, and writes nothing', async () => {
  const { ask, tables, events } = routesWith({});
  const frame = { topics: topicsNamed('chat', 100), data: 'x'.repeat(125_000) };
  expect(await ask('publish', frame)).toMatchObject({
    code: 'too_large',
    message: 'expected at most 1048576 bytes of data, times their topics, in one frame, got 12500200',
  });
  expect([tables.items('topics'), tables.items('messages'), events]).toEqual([[], [], []]);
});

it('counts the data of several messages together', async () => {
  const { ask } = routesWith({}, 2_048);
  const messages = Array.from({ length: 3 }, () => ({ topics: topicsNamed('a', 7), data: 'x'.repeat(100) }));
  expect(await ask('publish', { messages })).toMatchObject({ code: 'too_large' });
  expect(await ask('publish', { messages: messages.slice(0, 2) })).toMatchObject({ type: 'ack' });
});

const TOPICS = { topics: { perSecond: 10 / 3_600, burst: 10 } };

it('makes rows for so many made-up topics, and for no more', async () => {
  const { ask, tables } = routesWith(TOPICS);
  const replies = [];
  for (const topic of topicsNamed('chat', 50)) replies.push(await ask('publish', { topic, data: 1 }));
  expect(replies.filter(({ type }) => type === 'ack')).toHaveLength(10);
  const [refused] = replies.filter(({ type }) => type === 'error');
  expect(refused).toMatchObject({ code: 'rate_limited', retryAfterMs: 360_000 });
  expect(refused.message).toContain('expected at most 10 new topics an hour');
  expect(tables.items('topics')).toHaveLength(10);
  // Those that are there are there.
  expect(await ask('publish', { topic: 'chat/3', data: 2 })).toMatchObject({ offset: 2 });
});

it('writes none of a frame with more new topics than are left', async () => {
  const { ask, tables } = routesWith(TOPICS);
  await ask('publish', { topics: topicsNamed('chat', 4), data: 1 });
  const more = { topics: topicsNamed('chat', 11), data: 2 };
  expect(await ask('publish', more)).toMatchObject({ code: 'rate_limited' });
  expect(tables.items('topics')).toHaveLength(4);
  // One that would never do is told so.
  const { code } = await ask('publish', { topics: topicsNamed('chat/more', 11), data: 3 });
  expect(code).toBe('too_large');
  // Volatile topics leave nothing.
  expect(await ask('publish', { topics: topicsNamed('a', 50), data: 4 })).toMatchObject({ type: 'ack' });
});

it('counts patterns that nobody has subscribed to, and those that somebody has not', async () => {
  const { ask, tables } = routesWith(TOPICS);
  const codes = [];
  for (const topic of topicsNamed('made-up', 50)) codes.push((await ask('subscribe', { topic })).code);
  // There is no row of the connection.
  expect(codes).toEqual([...Array(10).fill('gone'), ...Array(40).fill('rate_limited')]);
  expect(tables.items('topics')).toHaveLength(10);
  expect(await ask('subscribe', { topic: 'made-up/3' })).toMatchObject({ code: 'gone' });
});

it('counts the last values that a plain subscribe is answered with', async () => {
  const { ask, open } = routesWith({ historyBytes: { perSecond: 1_024, burst: 10_240 } });
  await open();
  const topics = topicsNamed('state', 60);
  for (const topic of topics) await ask('publish', { topic, data: 'x'.repeat(4_000) });
  const replies = [];
  for (const topic of topics) replies.push(await ask('subscribe', { topic }));
  const answered = replies.filter(({ type }) => type === 'ack');
  expect(answered.length).toBeGreaterThan(0);
  // What had fitted, and the one that went beyond it.
  expect(answered.flatMap(({ messages }) => messages).length).toBe(3);
  for (const refused of replies.slice(answered.length))
    expect(refused).toMatchObject({ code: 'rate_limited' });
  expect(await ask('subscribe', { topic: 'state/0', rewind: 1 })).toMatchObject({ code: 'rate_limited' });
});

it('counts what is sent by its bytes, and as a message', async () => {
  const { ask, events } = routesWith({
    publishes: { perSecond: 1, burst: 3 },
    publishBytes: { perSecond: 1_024, burst: 10_240 },
  });
  const sends = async (bytes: number) => ask('send', { to: { userId: 'ada' }, data: 'x'.repeat(bytes) });
  expect(await sends(6_000)).toMatchObject({ type: 'ack' });
  expect(await sends(6_000)).toMatchObject({
    code: 'rate_limited',
    message: expect.stringContaining('bytes of data'),
  });
  expect(await sends(20_000)).toMatchObject({ code: 'too_large' });
  for (let n = 0; n < 2; n++) expect(await sends(10)).toMatchObject({ type: 'ack' });
  expect(await sends(10)).toMatchObject({
    code: 'rate_limited',
    message: expect.stringContaining('messages'),
  });
  expect(events).toHaveLength(3);
});
