import { beforeEach, describe, expect, it } from 'vitest';
import { createConnections } from '../../shared/data/connections.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';

/** DynamoDB cuts a page before it filters it, so that a page of items that have all expired is empty, and not the last. */

const NOW_MS = Date.UTC(2026, 10, 20);
const HOUR_MS = 3_600_000;
const clock = { now: () => NOW_MS, wait: async () => {}, random: () => 0 };
const shard = { pattern: parsePattern('news'), shard: 0 };
/** In the order of the table: the first page and the third are empty. */
const EXPIRED = ['a', 'b', 'e', 'f'];
const LIVE = ['c', 'd', 'g'];

describe('behind a page of what has expired', () => {
  const client = new MemoryDynamoDB({ pageItemsMax: 2 }).client();
  const connections = createConnections(client, 'connections', clock.now);
  const subscriptions = createSubscriptions(client, 'subscriptions', clock);
  const all = async (pages: AsyncIterable<string[]>) => (await Array.fromAsync(pages)).flat().sort();

  beforeEach(async () => {
    for (const connectionId of [...EXPIRED, ...LIVE]) {
      const isExpired = EXPIRED.includes(connectionId);
      const connectedAtMs = isExpired ? NOW_MS - 3 * HOUR_MS : NOW_MS;
      await connections.open({ connectionId, userId: 'alice', connectedAtMs });
      await subscriptions.put({ ...shard, connectionId }, NOW_MS / 1000 + (isExpired ? -1 : 3_600));
    }
  });

  it('there are subscribers', async () => {
    expect(await all(subscriptions.subscribers(shard))).toEqual(LIVE);
  });

  it('there are connections of a user', async () => {
    expect(await all(connections.ofUser('alice'))).toEqual(LIVE);
  });

  it('there are connections for a message to everyone', async () => {
    expect(await all(connections.all())).toEqual(LIVE);
  });

  it('there are connections for the sweep to look at', async () => {
    const sample = await connections.sample('a', 10);
    expect(sample.map(({ connectionId }) => connectionId).sort()).toEqual(LIVE);
  });
});
