import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { Action } from '../../shared/protocol/frames.ts';
import { parseSubscription } from '../../shared/protocol/parse.ts';
import { unsubscribe } from './unsubscribe.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
});
const client = lean(DynamoDBClient);
const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(client, config.subscriptionsTable, Date.now),
  shards: createShards(client, config.topicsTable, Date.now),
};

export const handler = route(parseSubscription(Action.unsubscribe), (input) => unsubscribe(input, deps));
