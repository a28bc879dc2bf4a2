import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { decodeJob } from '../../shared/delivery/job.ts';
import { BackEnd } from '../back-end.ts';
import { Client } from '../client.ts';
import { bootLocal } from '../local.ts';
import { startSystem } from '../system.ts';
import { until } from '../until.ts';

const PUBLISHERS = 4;
const ACKNOWLEDGED_BEFORE_KILL = 200;

const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-kill-'));
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running) await stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Publishes one message after the other, each when the one before is acknowledged, until the connection ends. */
async function publishWithoutEnd(url: string, acknowledged: string[]): Promise<void> {
  const client = await Client.open(url);
  const publishNext = async (): Promise<void> => {
    const { messageId } = await client.ask({ action: 'publish', topic: 'load/a', data: acknowledged.length });
    acknowledged.push(messageId);
    return publishNext();
  };
  void publishNext();
}

it('processes after kill -9 every message that was acknowledged before, and forgets the dead connections', async () => {
  // A load, killed in its middle.
  const first = await startSystem({ dataDir });
  running.push(() => first.kill());
  const url = first.ready.websocketUrl;
  const subscribers = await Promise.all([Client.open(url), Client.open(url), Client.open(url)]);
  const ids: string[] = [];
  for (const subscriber of subscribers) {
    await subscriber.subscribe('load/a');
    ids.push((await subscriber.ask({ action: 'whoami' })).connectionId);
  }
  const acknowledged: string[] = [];
  for (let n = 0; n < PUBLISHERS; n++) await publishWithoutEnd(url, acknowledged);
  await until(() => acknowledged.length >= ACKNOWLEDGED_BEFORE_KILL);
  await first.kill();
  const acknowledgedByThen = [...acknowledged];

  // The same state, under a gateway on which every call fails: what was not delivered must come out as dead letters.
  const second = await bootLocal({
    dataDir,
    app: 'test/apps/one-attempt.ts',
    faults: { faults: [{ on: '@connections', effect: 'answer', status: 500 }] },
  });
  running.push(second.stop);
  const backEnd = new BackEnd(second.ready);
  const working = async () => (await backEnd.depth('ingest')) + (await backEnd.depth('delivery')) > 0;
  await until(async () => !(await working()));
  const jobs = (await backEnd.drain('deliveryDeadLetters')).map(({ Body }) => decodeJob(String(Body)));
  for (const [index, subscriber] of subscribers.entries()) {
    const id = String(ids[index]);
    const undelivered = jobs
      .filter(({ connectionIds }) => connectionIds.includes(id))
      .flatMap(({ messages }) => messages.map(({ json }) => JSON.parse(json).messageId));
    const seen = new Set([...subscriber.messages.map(({ messageId }) => messageId), ...undelivered]);
    expect(acknowledgedByThen.filter((messageId) => !seen.has(messageId))).toEqual([]);
  }
  await second.stop();
  running.pop();

  // And a healthy start, which finds that nobody of them is there any more.
  const third = await startSystem({ dataDir });
  running.push(() => third.stop());
  const healthy = new BackEnd(third.ready);
  await until(async () => (await healthy.connectionsWithRows()).size === 0);
  expect(Object.values(await healthy.depths())).toEqual([0, 0, 0, 0]);
}, 120_000);
