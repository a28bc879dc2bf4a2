import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal } from '../support/local.ts';
import { cuts, drops, order, rewinds, rollovers, trimmed } from '../trials/trials.ts';

/** The trials at a small size, with the client SDK against the whole system. `npm run trials` has the full ones. */

const NOTHING_WRONG = { lost: 0, duplicated: 0, outOfOrder: 0 };
/** Of the clients that are asked for their next connection. */
const LIFE_SECONDS = 1;

let local: Runtime;

beforeAll(async () => {
  local = await bootLocal({
    app: 'test/apps/namespaces.ts',
    faults: NO_FAULTS,
    edit: (resources) => {
      for (const [id, { Properties }] of Object.entries(resources)) {
        if (!id.startsWith('FanwirePingFunction')) continue;
        Properties.Environment.Variables.ROLLOVER_AFTER_SECONDS = String(LIFE_SECONDS);
      }
    },
  });
});
afterAll(() => local?.stop());

it('shows all subscribers the messages of ten publishers in the same order, without a hole', async () => {
  const result = await order(local, { publishers: 10, messages: 500, subscribers: 3 });
  expect(result).toEqual({ ...NOTHING_WRONG, otherOrders: 0 });
});

it('loses and repeats nothing for clients whose connections are cut', async () => {
  const result = await cuts(local, { clients: 20, topics: 2, perSecond: 10, awaySecondsMax: 2 });
  expect(result).toMatchObject({ ...NOTHING_WRONG, cuts: 20, recovered: 20 });
});

it('tells clients that were away for too long, and gives them nothing of what they missed', async () => {
  const result = await trimmed(local, { clients: 10, historyMessages: 5 });
  expect(result).toEqual({ cuts: 10, told: 10, untold: 0, partial: 0, duplicated: 0, outOfOrder: 0 });
});

it('heals what was posted and never arrived, the last message of a topic too', async () => {
  const faults = new Faults(local.ready);
  const { dropped, ...account } = await drops(local, faults, {
    clients: 5,
    messages: 40,
    rate: 0.1,
    heartbeatMs: 1_500,
  });
  expect(dropped).toBeGreaterThan(0);
  expect(account).toMatchObject(NOTHING_WRONG);
});

it('moves clients to their next connections without their noticing', async () => {
  const result = await rollovers(local, { clients: 5, rollovers: 10, perSecond: 20 });
  expect(result).toMatchObject({ ...NOTHING_WRONG, statesShown: 0 });
});

it('joins a rewind to the live feed without a gap or an overlap', async () => {
  const result = await rewinds(local, { joins: 40, clients: 5, perSecond: 30, rewind: 10 });
  expect(result).toMatchObject({ ...NOTHING_WRONG, short: 0 });
});
