import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { loadConfig, positiveInteger, text } from '../../shared/config.ts';
import { createConnections } from '../../shared/connections.ts';
import { lean } from '../../shared/lean.ts';
import { Action, parseSubscription } from '../../shared/protocol.ts';
import { route } from '../../shared/route.ts';
import { createSubscriptions } from '../../shared/subscriptions.ts';
import { createTopics } from '../../shared/topics.ts';
import { subscribe } from './subscribe.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  subscriptionsMax: positiveInteger('SUBSCRIPTIONS_MAX'),
});
const client = lean(new DynamoDBClient());
const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(client, config.subscriptionsTable, Date.now),
  topics: createTopics(client, config.topicsTable, Date.now),
  subscriptionsMax: config.subscriptionsMax,
  random: Math.random,
};

export const handler = route(parseSubscription(Action.subscribe), (input) => subscribe(input, deps));
