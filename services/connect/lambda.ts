import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { loadConfig, text } from '../../shared/config.ts';
import { createConnections } from '../../shared/connections.ts';
import type { ConnectEvent } from '../../shared/events.ts';
import { lean } from '../../shared/lean.ts';
import { lifecycle } from '../../shared/lifecycle.ts';
import { connect } from './connect.ts';

const { connectionsTable } = loadConfig(process.env, { connectionsTable: text('CONNECTIONS_TABLE') });
const deps = { connections: createConnections(lean(new DynamoDBClient()), connectionsTable, Date.now) };

export const handler = lifecycle((event: ConnectEvent) => connect(event, deps));
