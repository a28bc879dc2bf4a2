import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { createConnections } from '../../shared/data/connections.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';

it('takes no shard for granted that an answer does not name', async () => {
  const client = { send: async () => ({}) } as unknown as DynamoDBClient; // nothing else of it is called
  const connections = createConnections(client, 'connections', () => 0);
  await expect(connections.addSubscription('c', parsePattern('chat/lobby'), 3, 100)).rejects.toThrow(
    'expected UpdateItem to answer with the shard of chat/lobby, got none',
  );
});
