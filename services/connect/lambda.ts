import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { loadConfig, text } from '../../shared/config.ts';
import { createConnections } from '../../shared/data/connections.ts';
import type { ConnectEvent } from '../../shared/events.ts';
import { lifecycle } from '../../shared/lifecycle.ts';
import { lean } from '../../shared/sdk/lean.ts';
import { connect } from './connect.ts';

const { connectionsTable } = loadConfig(process.env, { connectionsTable: text('CONNECTIONS_TABLE') });
const deps = { connections: createConnections(lean(DynamoDBClient), connectionsTable, Date.now) };

export const handler = lifecycle((event: ConnectEvent) => connect(event, deps));
