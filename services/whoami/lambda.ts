import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { Action } from '../../shared/protocol/frames.ts';
import { parseBare } from '../../shared/protocol/parse.ts';
import { whoami } from './whoami.ts';

const { connectionsTable, endpoint } = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  endpoint: text('CALLBACK_URL'),
});
const deps = {
  connections: createConnections(lean(DynamoDBClient), connectionsTable, Date.now),
  endpoint,
};

export const handler = route(parseBare(Action.whoami), (input) => whoami(input, deps));
