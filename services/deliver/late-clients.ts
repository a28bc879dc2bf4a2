import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { lean } from '../../shared/aws/sdk/lean.ts';

/** In a module of its own, so that the SDK is loaded when it is first called for. */
export const createLateClients = (): Pick<Clients, 'dynamodb' | 'sqs'> => ({
  dynamodb: lean(DynamoDBClient),
  sqs: lean(SQSClient),
});
