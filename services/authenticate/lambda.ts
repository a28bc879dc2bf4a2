import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createAccessClients } from '../../shared/auth/clients.ts';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseAuthenticate } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { authenticate } from './authenticate.ts';

const config = loadConfig(process.env, { ...settings, transport, grantsSecret: text('GRANTS_SECRET') });
const clients = {
  ...createAccessClients(config.transport, config.grantsSecret),
  dynamodb: createClient(config.transport, DynamoDBClient),
  late: async () => (await import('../../shared/aws/sdk/late-sqs.ts')).createLateSqs(config.transport),
};
const deps = assemble(config, clients, systemClock);

export const handler = route(parseAuthenticate, (input) => authenticate(input, deps), deps.limits);
