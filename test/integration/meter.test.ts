import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Usage } from '../../infra/local/meter/meter.ts';
import type { Runtime } from '../../infra/local/runtime.ts';
import { costOf } from '../../infra/model/bill.ts';
import { PRICES } from '../../infra/model/prices.ts';
import { usageOf } from '../../infra/model/scenario.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import { until } from '../support/until.ts';

let runtime: Runtime;
let backEnd: BackEnd;

beforeAll(async () => {
  runtime = await bootLocal();
  backEnd = new BackEnd(runtime.ready);
});
afterAll(() => runtime.stop());

const ask = (method = 'GET', headers = {}) =>
  fetch(`${runtime.ready.endpoint}/_fanwire/usage`, { method, headers });
const usage = async (method = 'GET'): Promise<Usage> => (await (await ask(method)).json()) as Usage;

/** The usage once so many batches have gone through the fan-out for good. */
async function settled(batches: number): Promise<Usage> {
  await until(async () => (await usage()).queues.ingest?.requests.DeleteMessageBatch === batches);
  return usage();
}

/** Closes clients, the first since the counts were set back, and waits for their `$disconnect`s: the next test counts anew. */
async function close(...clients: Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
  await until(async () => ((await usage()).functions.disconnect?.invocations ?? 0) >= clients.length);
}

const SUBSCRIBERS = 3;
const EVENT = 1_000;

it('counts known traffic exactly as AWS would bill it', async () => {
  const { websocketUrl } = runtime.ready;
  await usage('DELETE');
  const anonymous = await Promise.all([Client.open(websocketUrl), Client.open(websocketUrl)]);
  const clients = [...anonymous, await Client.open(`${websocketUrl}?userId=alice`)];
  for (const client of clients) await client.subscribe('talk/lobby');
  const small = 'x'.repeat(EVENT);
  await backEnd.publish({ topic: 'talk/lobby', data: small });
  await Promise.all(clients.map((client) => client.message(small)));
  const first = await settled(1);
  const { prod } = first.stages;

  expect(prod).toMatchObject({ connections: SUBSCRIBERS, messagesIn: SUBSCRIBERS, replies: SUBSCRIBERS });
  expect(prod).toMatchObject({ posts: SUBSCRIBERS, refusals: 0 });
  expect(first.buses).toEqual({ bus: { events: 1, billedEvents: 1 } });
  expect(first.queues.ingest).toEqual({
    requests: { SendMessage: 1, ReceiveMessage: 1, DeleteMessageBatch: 1 },
    isFair: false,
    isPolled: true,
  });
  expect(first.tables.connections).toMatchObject({
    PutItem: { requests: SUBSCRIBERS, readUnits: 0, writeUnits: SUBSCRIBERS },
    UpdateItem: { requests: SUBSCRIBERS, writeUnits: SUBSCRIBERS },
    // Alice's row is in the index byUser; noting her subscription leaves it as it is.
    indexes: { requests: 1, writeUnits: 1 },
  });
  expect(first.tables.subscriptions).toMatchObject({
    PutItem: { requests: SUBSCRIBERS, writeUnits: SUBSCRIBERS },
    // A consistent read of 3 rows is one unit.
    Query: { requests: 1, readUnits: 1 },
  });
  // Of talk/lobby, talk/lobby/* and talk/*, one exists: a miss is a unit too.
  expect(first.tables.topics?.BatchGetItem).toEqual({ requests: 1, readUnits: 3, writeUnits: 0 });
  for (const name of ['connect', 'subscribe']) {
    expect(first.functions[name]).toMatchObject({ invocations: SUBSCRIBERS, errors: 0, memoryMb: 256 });
  }
  expect(first.functions.fanout).toMatchObject({ invocations: 1, memoryMb: 512, timeoutMs: 90_000 });

  await close(...clients);
});

it('counts a message of more than 32 KB as two', async () => {
  const client = await Client.open(runtime.ready.websocketUrl);
  await client.subscribe('talk/large');
  await usage('DELETE');
  const large = 'x'.repeat(33 * 1024);
  await backEnd.publish({ topic: 'talk/large', data: large });
  await client.message(large);
  const { stages, buses } = await settled(1);
  expect(stages.prod).toMatchObject({ connections: 0, posts: 2 });
  expect(buses.bus).toEqual({ events: 1, billedEvents: 1 });
  await close(client);
});

it('counts three writes for a message that is kept, and none for whoever reads it', async () => {
  await usage('DELETE');
  // Nobody is subscribed: posts would take from the budget, which is a write, too.
  await backEnd.publish({ topic: 'chat/kept', data: 1 }); // which makes the worker know the log
  await settled(1);
  await usage('DELETE');
  await backEnd.publish({ topic: 'chat/kept', data: 2 });
  const { tables } = await settled(1);
  expect(tables.topics?.UpdateItem).toMatchObject({ requests: 1, writeUnits: 1 });
  expect(tables.messages).toMatchObject({ PutItem: { requests: 2, readUnits: 0, writeUnits: 2 } });
  const client = await Client.open(runtime.ready.websocketUrl);
  expect((await client.ask({ action: 'history', topic: 'chat/kept' })).messages).toHaveLength(2);
  expect((await usage()).tables.messages).toMatchObject({
    PutItem: { writeUnits: 2 },
    Query: { readUnits: expect.any(Number), writeUnits: 0 },
  });
  await close(client);
});

it('measures what functions take', async () => {
  const client = await Client.open(runtime.ready.websocketUrl);
  await usage('DELETE');
  await client.ask({ action: 'ping' });
  const { functions } = await usage();
  const { ping } = functions;
  expect(ping).toMatchObject({ invocations: 1, coldStarts: 1 });
  expect(ping?.durationMs).toBeGreaterThanOrEqual(1);
  expect(ping?.heapBytesMax).toBeGreaterThan(1_000_000);
  // 256 MB is a quarter of a GB.
  const billedMs = (ping?.initMs ?? 0) + (ping?.durationMs ?? 0);
  expect(ping?.gbSeconds).toBeCloseTo(billedMs / 1000 / 4, 9);
  await close(client);
});

it('does not tell who did not ask for capacity, and tells who did', async () => {
  const { dynamodb } = backEnd;
  const { GetItemCommand } = await import('@aws-sdk/client-dynamodb');
  const input = { TableName: runtime.ready.tables.topics, Key: { topic: { S: 'chat/none' } } };
  expect((await dynamodb.send(new GetItemCommand(input))).ConsumedCapacity).toBeUndefined();
  const asked = await dynamodb.send(new GetItemCommand({ ...input, ReturnConsumedCapacity: 'TOTAL' }));
  expect(asked.ConsumedCapacity?.CapacityUnits).toBe(0.5);
});

it('lets no web page set the counts back', async () => {
  expect((await ask('DELETE', { origin: 'https://example.com' })).status).toBe(403);
  expect((await ask('PUT')).status).toBe(405);
});

/** What does not depend on time or chance. */
const counted = ({
  stages,
  tables,
  queues,
  buses,
  functions,
}: Usage): Record<string, number | undefined> => ({
  connections: stages.prod?.connections,
  messagesIn: stages.prod?.messagesIn,
  replies: stages.prod?.replies,
  posts: stages.prod?.posts,
  events: buses.bus?.billedEvents,
  connectionPuts: tables.connections?.PutItem?.writeUnits,
  connectionUpdates: tables.connections?.UpdateItem?.writeUnits,
  connectionDeletes: tables.connections?.DeleteItem?.writeUnits,
  subscriptionPuts: tables.subscriptions?.PutItem?.writeUnits,
  subscriptionDeletes: tables.subscriptions?.BatchWriteItem?.writeUnits,
  subscriptionReads: tables.subscriptions?.Query?.readUnits,
  topicBatchGets: tables.topics?.BatchGetItem?.readUnits,
  ...prefixed('ingest', queues.ingest?.requests),
  ...prefixed('delivery', queues.delivery?.requests),
  authorizations: functions.authorize?.invocations ?? 0,
  connects: functions.connect?.invocations,
  subscribes: functions.subscribe?.invocations,
  disconnects: functions.disconnect?.invocations,
  fanouts: functions.fanout?.invocations,
  delivers: functions.deliver?.invocations ?? 0,
});
const prefixed = (prefix: string, requests: Readonly<Record<string, number>> = {}) =>
  Object.fromEntries(
    ['SendMessage', 'SendMessageBatch', 'ReceiveMessage', 'DeleteMessageBatch'].map((action) => [
      `${prefix}${action}`,
      requests[action] ?? 0,
    ]),
  );

const CONNECTS_IN_FLIGHT_MAX = 50;

async function connectAll(count: number, topic: string): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const more = Math.min(CONNECTS_IN_FLIGHT_MAX, count - clients.length);
    const opened = await Promise.all(
      Array.from({ length: more }, () => Client.open(runtime.ready.websocketUrl)),
    );
    await Promise.all(opened.map((client) => client.subscribe(topic)));
    clients.push(...opened);
  }
  return clients;
}

describe('the formula of a scenario', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await runtime.stop();
    runtime = await bootLocal({ app: 'test/apps/anybody.ts' });
    backEnd = new BackEnd(runtime.ready);
  });

  it.each([
    ['served by the fan-out', 20, 4],
    // So many that a page rounds to the same units, however many digits the time has that its rows expire at.
    ['served in two jobs', 530, 3],
  ])('agrees with the meter on subscribers %s', async (_, subscribers, messages) => {
    await usage('DELETE');
    // As long as `talk/lobby`, for which the formula knows how large rows are.
    const topic = `talk/${String(subscribers).padStart(5, '0')}`;
    const clients = await connectAll(subscribers, topic);
    for (let n = 0; n < messages; n++) {
      const data = `${n}`.padEnd(200, 'x');
      const received = clients.map((client) => client.message(data));
      await backEnd.publish({ topic, data });
      await Promise.all(received);
      await settled(n + 1);
    }
    await close(...clients);

    const measured = await usage();
    const scenario = { subscribers, topics: 1, rate: messages, bytes: 200, coalesced: 1, seconds: 1 };
    const expected = counted(usageOf({ ...scenario, connectionMinutes: 0 }));
    const found = counted(measured);
    for (const [name, units] of Object.entries(expected)) {
      expect.soft(found[name], name).toSatisfy((value: number) => isClose(value, units ?? 0));
    }
    const bill = costOf(measured, PRICES, subscribers * messages);
    expect(bill.byStage.other).toBe(0);
  });
});

/** A few per cent, or a rounding. */
const isClose = (found: number, expected: number): boolean =>
  Math.abs(found - expected) <= Math.max(1, 0.05 * expected);
