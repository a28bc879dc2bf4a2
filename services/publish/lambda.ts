import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parsePublish } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { publish } from './publish.ts';

const config = loadConfig(process.env, { ...settings, transport });
const clients = {
  dynamodb: createClient(config.transport, DynamoDBClient),
  eventBridge: createClient(config.transport, EventBridgeClient),
};
const deps = assemble(config, clients, systemClock);

export const handler = route(parsePublish, (input) => publish(input, deps), deps.limits);
