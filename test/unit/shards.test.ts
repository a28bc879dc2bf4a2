import { expect, it } from 'vitest';
import { createShards } from '../../shared/data/shards.ts';
import { parsePattern, parseTopic } from '../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import { waitingClock } from '../support/waits.ts';

const PATTERN = parsePattern('chat/lobby');

it('of a topic exist for as long as the longest of its subscriptions, whoever comes first', async () => {
  for (const isLongerFirst of [true, false]) {
    const clock = waitingClock();
    const memory = new MemoryDynamoDB({ now: clock.now });
    const nowSeconds = Math.floor(clock.now() / 1000);
    const [longer, shorter] = [7_800, 90].map((seconds) => nowSeconds + seconds) as [number, number];
    const updates: (() => void)[] = [];
    // Both have read that there is none before either writes.
    const client = memory.client(async ({ operation }, perform) => {
      if (operation === 'UpdateItem') await new Promise<void>((resolve) => updates.push(resolve));
      return perform();
    });
    const order = isLongerFirst ? [longer, shorter] : [shorter, longer];
    const all = order.map((expiresAt) => createShards(client, 'topics', clock).ensure(PATTERN, expiresAt));
    await expect.poll(() => updates.length).toBe(2);
    for (const go of updates) go();
    expect(await Promise.all(all)).toEqual([1, 1]);
    const [item] = memory.items('topics');
    expect(Number(item?.expiresAt?.N)).toBeGreaterThanOrEqual(longer);
    expect(await createShards(client, 'topics', clock).covering(parseTopic('chat/lobby'))).toHaveLength(1);
  }
});
