import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { loadConfig, namespaces, positiveInteger, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSubscribe } from '../../shared/protocol/parse.ts';
import { subscribe } from './subscribe.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  messagesTable: text('MESSAGES_TABLE'),
  subscriptionsMax: positiveInteger('SUBSCRIPTIONS_MAX'),
  namespaces,
});
const client = lean(DynamoDBClient);
const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(client, config.subscriptionsTable, Date.now),
  shards: createShards(client, config.topicsTable, Date.now),
  logs: createLogs(client, config, Date.now),
  namespaces: config.namespaces,
  subscriptionsMax: config.subscriptionsMax,
  random: Math.random,
  newId: randomUUID,
  now: Date.now,
  wait: (ms: number) => wait(ms),
};

export const handler = route(parseSubscribe, (input) => subscribe(input, deps));
