import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createAccessClients } from '../../shared/auth/clients.ts';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { httpRoute } from '../../shared/lambda/http-route.ts';
import { assemble, settings } from './assemble.ts';
import { issue } from './issue.ts';

const config = loadConfig(process.env, { ...settings, transport, grantsSecret: text('GRANTS_SECRET') });
const clients = {
  ...createAccessClients(config.transport, config.grantsSecret),
  dynamodb: createClient(config.transport, DynamoDBClient),
  randomBytes,
};
const deps = assemble(config, clients, systemClock);

export const handler = httpRoute((event) => issue(event, deps));
