import { afterAll, beforeAll, expect, it } from 'vitest';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ app: 'test/apps/closed.ts' });
});
afterAll(() => system?.stop());

it('is said at the start, once', () => {
  expect(system.output().split('[Warning at /Closed/Fanwire] Nobody may connect')).toHaveLength(2);
});

it.each([
  ['says nothing', '', []],
  ['says who it is', '?userId=ada', []],
  ['brings a token', '', ['fanwire', 'bearer.e30.e30.e30']],
])('refuses a client that %s, and the console says why', async (_, query, protocols) => {
  const before = system.output().length;
  await expect(Client.open(system.ready.websocketUrl + query, protocols)).rejects.toThrow('401');
  await until(() => system.output().slice(before).includes('nobody_may_connect'));
  expect(system.output().slice(before)).toContain('the setting auth has no issuers');
});
