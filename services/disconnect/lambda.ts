import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { forgetConnection } from '../../shared/data/forget.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import type { DisconnectEvent } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
});
const client = lean(DynamoDBClient);
const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(client, config.subscriptionsTable, Date.now),
};

/** `$disconnect` is best effort: what it misses, 410s and the sweep clean up. */
export const handler = lifecycle(async ({ requestContext }: DisconnectEvent) => {
  await forgetConnection(requestContext.connectionId, deps);
});
