import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';

let local: Runtime;

// It boots, so its variables fit: what Lambda would refuse the local runtime refuses too.
beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/hundred-namespaces.ts' });
});
afterAll(() => local?.stop());

it('gives the last of a hundred namespaces its history', async () => {
  const client = await Client.open(local.ready.websocketUrl);
  const topic = `namespace-100/${randomUUID()}`;
  await client.subscribe(topic);
  await client.ask({ action: 'publish', topic, data: 1 });
  expect(await client.message(1)).toMatchObject({ topic, offset: 1 });
  expect(await client.ask({ action: 'history', topic })).toMatchObject({
    messages: [{ data: 1, offset: 1 }],
  });
  expect(await client.ask({ action: 'subscribe', topic: 'namespace-101/x' })).not.toHaveProperty('epoch');
  await client.close();
});
