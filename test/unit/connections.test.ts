import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { CONNECTION_TTL_SECONDS, createConnections } from '../../shared/data/connections.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';

it('takes no shard for granted that an answer does not name', async () => {
  const client = { send: async () => ({}) } as unknown as DynamoDBClient; // nothing else of it is called
  const connections = createConnections(client, 'connections', () => 0);
  await expect(connections.addSubscription('c', parsePattern('chat/lobby'), 3, 100)).rejects.toThrow(
    'expected UpdateItem to answer with the shard of chat/lobby, got none',
  );
});

it('samples past pages of which everything has expired', async () => {
  const nowMs = Date.UTC(2026, 10, 20);
  const tables = new MemoryDynamoDB({ pageItemsMax: 1 });
  const connections = createConnections(tables.client(), 'connections', () => nowMs);
  const expiredMs = nowMs - CONNECTION_TTL_SECONDS * 1_000;
  for (const connectionId of ['a', 'b', 'c', 'd', 'e']) {
    const connectedAtMs = 'bd'.includes(connectionId) ? nowMs : expiredMs;
    await connections.open({ connectionId, connectedAtMs });
  }
  for (const start of ['0', 'a', 'b', 'c', 'd', 'e']) {
    const sample = await connections.sample(start, 10);
    expect(sample.map(({ connectionId }) => connectionId).sort()).toEqual(['b', 'd']);
  }
});
