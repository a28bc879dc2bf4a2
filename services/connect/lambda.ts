import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import type { ConnectEvent } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';
import { connect } from './connect.ts';

const { connectionsTable } = loadConfig(process.env, { connectionsTable: text('CONNECTIONS_TABLE') });
const deps = { connections: createConnections(lean(DynamoDBClient), connectionsTable, Date.now) };

export const handler = lifecycle((event: ConnectEvent) => connect(event, deps));
