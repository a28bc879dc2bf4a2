import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { Action } from '../../shared/protocol/frames.ts';
import { parseBare } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { whoami } from './whoami.ts';

const config = loadConfig(process.env, { ...settings, transport });
const deps = assemble(config, { dynamodb: createClient(config.transport, DynamoDBClient) }, systemClock);

export const handler = route(parseBare(Action.whoami), (input) => whoami(input, deps), deps.limits);
