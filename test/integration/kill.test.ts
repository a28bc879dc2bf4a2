import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, expect, it } from 'vitest';
import { HANDSHAKE_MAX_MS } from '../../shared/data/connections.ts';
import { decodeJob } from '../../shared/queues/job.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { bootLocal, variablesOf } from '../support/local.ts';
import { startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const PUBLISHERS = 4;
const ACKNOWLEDGED_BEFORE_KILL = 200;
/** One is volatile, of the other everything is kept. */
const TOPICS = ['load/a', 'chat/load'];

const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-kill-'));
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running) await stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Publishes one message after the other, each when the one before is acknowledged, until the connection ends. */
async function publishWithoutEnd(url: string, topic: string, acknowledged: string[]): Promise<void> {
  const client = await Client.open(url);
  const publishNext = async (): Promise<void> => {
    const { messageId } = await client.ask({ action: 'publish', topic, data: acknowledged.length });
    acknowledged.push(messageId);
    return publishNext();
  };
  void publishNext();
}

/** As if the system had been down for longer than a handshake takes. */
const age = (backEnd: BackEnd, table: string | undefined, connectionId: string) =>
  backEnd.dynamodb.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { connectionId: { S: connectionId } },
      UpdateExpression: 'SET connectedAt = connectedAt - :ms',
      ConditionExpression: 'attribute_exists(connectedAt)',
      ExpressionAttributeValues: { ':ms': { N: String(2 * HANDSHAKE_MAX_MS) } },
    }),
  );

/** Ids of the messages in the log, in the order of their offsets. */
async function logOf(url: string, topic: string): Promise<string[]> {
  const client = await Client.open(url);
  const ids: string[] = [];
  let page = await client.ask({ action: 'history', topic, limit: 100 });
  for (;;) {
    ids.push(...(page.messages ?? []).map(({ messageId }: { messageId: string }) => messageId));
    if (!page.more) break;
    const after = { epoch: page.epoch, offset: page.offset };
    page = await client.ask({ action: 'history', topic, limit: 100, after });
  }
  await client.close();
  return ids;
}

it('processes after kill -9 every message that was acknowledged before, and forgets the dead connections', async () => {
  // A load, killed in its middle.
  const first = await startSystem({ dataDir });
  running.push(() => first.kill());
  const url = first.ready.websocketUrl;
  const subscribers = await Promise.all([Client.open(url), Client.open(url), Client.open(url)]);
  const ids: string[] = [];
  for (const subscriber of subscribers) {
    for (const topic of TOPICS) await subscriber.subscribe(topic);
    ids.push((await subscriber.ask({ action: 'whoami' })).connectionId);
  }
  const acknowledged = TOPICS.map((): string[] => []);
  for (const [index, topic] of TOPICS.entries()) {
    for (let n = 0; n < PUBLISHERS / TOPICS.length; n++) {
      await publishWithoutEnd(url, topic, acknowledged[index] as string[]);
    }
  }
  await until(() => acknowledged.flat().length >= ACKNOWLEDGED_BEFORE_KILL);
  await first.kill();
  const acknowledgedByThen = structuredClone(acknowledged);

  // The same state, under a gateway on which every call fails: what was not delivered must come out as dead letters.
  const second = await bootLocal({
    dataDir,
    edit: (resources) => {
      for (const worker of ['Fanout', 'Deliver']) variablesOf(resources, worker).DELIVERY_ATTEMPTS_MAX = '1';
    },
    faults: { faults: [{ on: '@connections', effect: 'answer', status: 500 }] },
  });
  running.push(second.stop);
  const backEnd = new BackEnd(second.ready);
  const working = async () => {
    const depths = await Promise.all(['ingest', 'delivery', 'slow'].map((queue) => backEnd.depth(queue)));
    return depths.some((depth) => depth > 0);
  };
  await until(async () => !(await working()));
  const jobs = (await backEnd.drain('deliveryDeadLetters')).map(({ Body }) => decodeJob(String(Body)));
  for (const [index, subscriber] of subscribers.entries()) {
    const id = String(ids[index]);
    const undelivered = jobs
      .filter(({ connectionIds }) => connectionIds.includes(id))
      .flatMap(({ messages }) => messages.map(({ json }) => JSON.parse(json).messageId));
    const seen = new Set([...subscriber.messages.map(({ messageId }) => messageId), ...undelivered]);
    expect(acknowledgedByThen.flat().filter((messageId) => !seen.has(messageId))).toEqual([]);
  }
  for (const id of await backEnd.connectionsWithRows())
    await age(backEnd, second.ready.tables.connections, id);
  await second.stop();
  running.pop();

  // And a healthy start, which finds that nobody of them is there any more, and all that was kept.
  const third = await startSystem({ dataDir });
  running.push(() => third.stop());
  const healthy = new BackEnd(third.ready);
  await until(async () => (await healthy.connectionsWithRows()).size === 0);
  expect(new Set(Object.values(await healthy.depths()))).toEqual(new Set([0]));
  const log = await logOf(third.ready.websocketUrl, 'chat/load');
  expect(log).toHaveLength(new Set(log).size);
  expect(acknowledgedByThen[1]?.filter((messageId) => !log.includes(messageId))).toEqual([]);
}, 120_000);
