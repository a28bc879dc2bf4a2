import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { ping } from './ping.ts';

const config = loadConfig(process.env, { ...settings, transport });
const deps = assemble(config, { dynamodb: createClient(config.transport, DynamoDBClient) }, systemClock);

export const handler = route(parsePing, (input) => ping(input, deps), deps.limits);
