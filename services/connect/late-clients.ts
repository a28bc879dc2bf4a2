import { SQSClient } from '@aws-sdk/client-sqs';
import { type Clients, createClient } from '../../shared/aws/sdk/clients.ts';
import type { TransportName } from '../../shared/aws/transports.ts';

/** In a module of its own, so that the SDK is loaded when it is first called for. */
export const createLateClients = (transport: TransportName): Pick<Clients, 'sqs'> => ({
  sqs: createClient(transport, SQSClient),
});
