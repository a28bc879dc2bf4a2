import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { assemble, settings } from './assemble.ts';
import { CLOSED_IN_FLIGHT_MAX, close } from './close.ts';

const config = loadConfig(process.env, { ...settings, transport, endpoint: text('CALLBACK_URL') });
// Or a post would wait for a socket until its time is over.
const sockets = { maxSockets: CLOSED_IN_FLIGHT_MAX };
const clients = {
  dynamodb: createClient(config.transport, DynamoDBClient),
  sqs: createClient(config.transport, SQSClient),
  // What fails is tried again by the queue.
  management: createClient(config.transport, ApiGatewayManagementApiClient, {
    endpoint: config.endpoint,
    maxAttempts: 1,
    ...(config.transport === 'sdk' && { requestHandler: { httpAgent: sockets, httpsAgent: sockets } }),
  }),
};
const deps = assemble(config, clients, systemClock);

export const handler = worker((records, stopAtMs) => close(records, deps, stopAtMs), deps);
