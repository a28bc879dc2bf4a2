import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { loadConfig, text } from '../../shared/config.ts';
import { createConnections } from '../../shared/connections.ts';
import { Action, parseSubscription } from '../../shared/protocol/frames.ts';
import { route } from '../../shared/route.ts';
import { lean } from '../../shared/sdk/lean.ts';
import { createSubscriptions } from '../../shared/subscriptions.ts';
import { createTopics } from '../../shared/topics.ts';
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
  topics: createTopics(client, config.topicsTable, Date.now),
};

export const handler = route(parseSubscription(Action.unsubscribe), (input) => unsubscribe(input, deps));
