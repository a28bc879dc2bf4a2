import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSend } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { send } from './send.ts';

const config = loadConfig(process.env, { ...settings, transport });
const clients = {
  eventBridge: createClient(config.transport, EventBridgeClient),
  late: async () =>
    (await import('../../shared/aws/sdk/late-dynamodb.ts')).createLateDynamodb(config.transport),
};
const deps = assemble(config, clients, systemClock);

export const handler = route(parseSend, (input) => send(input, deps), deps.limits);
