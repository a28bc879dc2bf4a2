import { expect, it } from 'vitest';
import { assemble as assembleConnect } from '../../services/connect/assemble.ts';
import { connect } from '../../services/connect/connect.ts';
import { assemble as assembleSubscribe } from '../../services/subscribe/assemble.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { CONNECTION_TTL_SECONDS } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import { TABLES, type TableName } from '../../shared/data/tables.ts';
import { parseSubscribe } from '../../shared/protocol/parse.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import { namespacesOf } from '../support/namespaces.ts';
import { NO_TOKENS } from '../support/no-guard.ts';
import { NOTHING_LIMITED } from '../support/no-limits.ts';
import { TopicLog } from '../support/topic-log.ts';

const NOW_MS = Date.UTC(2026, 10, 20);
const DAY_SECONDS = 86_400;
const clock = { now: () => NOW_MS, wait: async () => {}, random: () => 0, newId: () => 'id' };
const tables = {
  connectionsTable: 'connections',
  subscriptionsTable: 'subscriptions',
  topicsTable: 'topics',
  messagesTable: 'messages',
  accessTable: 'access',
  limits: NOTHING_LIMITED,
};

/** For how many seconds each item of each table is good. TTL reads `expiresAt` in seconds, whatever it was meant in. */
const lifetimesIn = (memory: MemoryDynamoDB, nowMs: number): Record<string, number[]> =>
  Object.fromEntries(
    (Object.keys(TABLES) as TableName[]).map((table) => [
      table,
      memory.items(table).map(({ expiresAt }) => Number(expiresAt?.N) - nowMs / 1000),
    ]),
  );

it('of a connection and its subscription is a little more than the two hours that a connection lasts', async () => {
  const memory = new MemoryDynamoDB({ now: clock.now });
  const dynamodb = memory.client();
  const requestContext = { connectionId: 'c', connectedAt: NOW_MS } as never; // no more is read
  await connect(
    { requestContext },
    assembleConnect(
      { ...tables, closingQueueUrl: 'closing', authorization: 'none' },
      { dynamodb, late: async () => ({ sqs: {} as never }) }, // no token ends
      clock,
    ),
  );
  const deps = assembleSubscribe(
    { ...tables, subscriptionsMax: 1, namespaces: namespacesOf({}), authorization: 'none' },
    { dynamodb, ...NO_TOKENS },
    clock,
  );
  const frame = parseSubscribe({ action: 'subscribe', topic: 'news' });
  await subscribe({ connectionId: 'c', connectedAtMs: NOW_MS, frame }, deps);
  expect(CONNECTION_TTL_SECONDS).toBe(7_800);
  expect(lifetimesIn(memory, NOW_MS)).toEqual({
    connections: [7_800],
    subscriptions: [7_800],
    topics: [7_800 + 3_600],
    messages: [],
    access: [],
  });
});

it('of what is kept of a topic is 30 days for its head and last value, 2 for a claim, and as long as it says for a message', async () => {
  const log = new TopicLog({ seconds: 60, lastValue: true });
  await log.publish(log.keyed('k', 'origin'));
  const { topics, messages } = lifetimesIn(log.tables, log.nowMs);
  expect(topics).toEqual([30 * DAY_SECONDS, 30 * DAY_SECONDS]);
  expect(messages?.toSorted((a, b) => a - b)).toEqual([60 + 3 * 3_600, 2 * DAY_SECONDS]);
});

it('of a revocation is a day longer than any token is taken', async () => {
  const memory = new MemoryDynamoDB({ now: clock.now });
  const revocations = createRevocations(memory.client(), 'access', clock);
  await revocations.revoke({ userId: 'ada' }, NOW_MS - 7_000);
  expect(lifetimesIn(memory, NOW_MS).access).toEqual([31 * DAY_SECONDS]);
});
