import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';

let local: Runtime;

beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/production.ts' });
});
afterAll(() => local?.stop());

it('runs what is made for production as it is', async () => {
  const client = await Client.open(local.ready.websocketUrl);
  const topic = `chat/${randomUUID()}`;
  await client.ask({ action: 'subscribe', topic });
  await client.ask({ action: 'publish', topic, data: 1 });
  expect(await client.message(1)).toMatchObject({ topic, offset: 1, data: 1 });
  await client.close();
});
