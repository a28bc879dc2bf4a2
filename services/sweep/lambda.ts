import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { lastResort } from '../../shared/lambda/middleware/last-resort.ts';
import { logContext } from '../../shared/lambda/middleware/log-context.ts';
import { stack } from '../../shared/lambda/stack.ts';
import { assemble, settings } from './assemble.ts';
import { sweep } from './sweep.ts';

const config = loadConfig(process.env, { ...settings, endpoint: text('CALLBACK_URL') });
const clients = {
  dynamodb: lean(DynamoDBClient),
  management: lean(ApiGatewayManagementApiClient, { endpoint: config.endpoint }),
};
const deps = assemble(config, clients, systemClock);

export const handler = stack([logContext(), lastResort()], async () => {
  logger.info('swept', { ...(await sweep(deps)) });
});
