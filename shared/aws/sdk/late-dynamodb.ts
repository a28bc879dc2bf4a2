import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { TransportName } from '../transports.ts';
import { type Clients, createClient } from './clients.ts';

/** In a module of its own, so that the SDK is loaded when it is first called for. */
export const createLateDynamodb = (transport: TransportName): Pick<Clients, 'dynamodb'> => ({
  dynamodb: createClient(transport, DynamoDBClient),
});
