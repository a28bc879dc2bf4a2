import { SQSClient } from '@aws-sdk/client-sqs';
import type { TransportName } from '../transports.ts';
import { type Clients, createClient } from './clients.ts';

/** In a module of its own, so that the SDK is loaded when it is first called for. */
export const createLateSqs = (transport: TransportName): Pick<Clients, 'sqs'> => ({
  sqs: createClient(transport, SQSClient),
});
