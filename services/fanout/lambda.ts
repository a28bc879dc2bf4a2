import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { createDelivery, deliverySettings } from '../../shared/delivery/deps.ts';
import { loadConfig, namespaces, positiveInteger, text } from '../../shared/lambda/config.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { createDeadLetters } from '../../shared/queues/queues.ts';
import { fanOut } from './fan-out.ts';

const config = loadConfig(process.env, {
  ...deliverySettings,
  messagesTable: text('MESSAGES_TABLE'),
  namespaces,
  badEventsUrl: text('INGEST_DEAD_LETTERS_URL'),
  inlineMax: positiveInteger('INLINE_MAX'),
  shardSubscribersMax: positiveInteger('SHARD_SUBSCRIBERS_MAX'),
});
const dynamodb = lean(DynamoDBClient);
const deps = {
  ...(await createDelivery(config, () => process.env._X_AMZN_TRACE_ID)),
  connections: createConnections(dynamodb, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, Date.now),
  shards: createShards(dynamodb, config.topicsTable, Date.now),
  logs: createLogs(dynamodb, config, Date.now),
  namespaces: config.namespaces,
  epochs: new Map(),
  newId: randomUUID,
  badEvents: createDeadLetters(lean(SQSClient), config.badEventsUrl),
  inlineMax: config.inlineMax,
  shardSubscribersMax: config.shardSubscribersMax,
};

export const handler = worker((records, stopAtMs) => fanOut(records, deps, stopAtMs), Date.now);
