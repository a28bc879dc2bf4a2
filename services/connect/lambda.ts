import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import type { ConnectEvent } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';
import { assemble, settings } from './assemble.ts';
import { connect, protocolAnswer } from './connect.ts';

const config = loadConfig(process.env, { ...settings, transport });
const clients = {
  dynamodb: createClient(config.transport, DynamoDBClient),
  late: async () => (await import('../../shared/aws/sdk/late-sqs.ts')).createLateSqs(config.transport),
};
const deps = assemble(config, clients, systemClock);

export const handler = lifecycle((event: ConnectEvent) => connect(event, deps), protocolAnswer);
