import type { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { TransportName } from '../transports.ts';
import { lean, type SdkClient } from './lean.ts';

/** What calls AWS, by service: each Lambda makes those that it needs. */
export interface Clients {
  readonly dynamodb: DynamoDBClient;
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly eventBridge: Pick<EventBridgeClient, 'send'>;
  readonly management: Pick<ApiGatewayManagementApiClient, 'send'>;
}

/** Makes a client that goes over the transport. */
export const createClient = <C extends SdkClient, Options extends object>(
  transport: TransportName,
  Class: new (options: Options) => C,
  options?: Options,
): C => (transport === 'sdk' ? new Class({ ...options } as Options) : lean(Class, options));
