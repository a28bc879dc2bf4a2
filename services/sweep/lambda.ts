import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { lastResort } from '../../shared/lambda/middleware/last-resort.ts';
import { logContext } from '../../shared/lambda/middleware/log-context.ts';
import { stack } from '../../shared/lambda/stack.ts';
import { assemble, settings } from './assemble.ts';
import { sweep } from './sweep.ts';

const config = loadConfig(process.env, { ...settings, transport, endpoint: text('CALLBACK_URL') });
const clients = {
  dynamodb: createClient(config.transport, DynamoDBClient),
  sqs: createClient(config.transport, SQSClient),
  management: createClient(config.transport, ApiGatewayManagementApiClient, { endpoint: config.endpoint }),
};
const deps = assemble(config, clients, systemClock);

export const handler = stack([logContext(), lastResort()], async () => {
  logger.info('swept', { ...(await sweep(deps)) });
});
