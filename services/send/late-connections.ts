import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import type { TransportName } from '../../shared/aws/transports.ts';
import { type Connections, createConnections } from '../../shared/data/connections.ts';

/** In a module of its own, so that the SDK's client is loaded when it is first called for. */
export const createLateConnections = (transport: TransportName, table: string): Connections =>
  createConnections(createClient(transport, DynamoDBClient), table, Date.now);
