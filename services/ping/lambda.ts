import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createHeads } from '../../shared/data/heads.ts';
import { loadConfig, positiveInteger, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { ping } from './ping.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  rolloverAfterSeconds: positiveInteger('ROLLOVER_AFTER_SECONDS'),
});
const client = lean(DynamoDBClient);
const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  heads: createHeads(client, config.topicsTable, Date.now),
  rolloverAfterMs: config.rolloverAfterSeconds * 1000,
  now: Date.now,
};

export const handler = route(parsePing, (input) => ping(input, deps));
