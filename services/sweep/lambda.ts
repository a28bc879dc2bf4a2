import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiGatewayManagementApiClient, GetConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { isGone } from '../../shared/delivery/sdk-post.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { lastResort } from '../../shared/lambda/middleware/last-resort.ts';
import { logContext } from '../../shared/lambda/middleware/log-context.ts';
import { stack } from '../../shared/lambda/stack.ts';
import { sweep } from './sweep.ts';

const config = loadConfig(process.env, {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  callbackUrl: text('CALLBACK_URL'),
});
const client = lean(DynamoDBClient);
const management = lean(ApiGatewayManagementApiClient, { endpoint: config.callbackUrl });

const deps = {
  connections: createConnections(client, config.connectionsTable, Date.now),
  subscriptions: createSubscriptions(client, config.subscriptionsTable, Date.now),
  now: Date.now,
  wait: delay,
  isOpen: async (connectionId: string): Promise<boolean> => {
    try {
      await management.send(new GetConnectionCommand({ ConnectionId: connectionId }));
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  },
  newId: () => randomBytes(12).toString('base64url'),
};

export const handler = stack([logContext(), lastResort()], async () => {
  logger.info('swept', { ...(await sweep(deps)) });
});
