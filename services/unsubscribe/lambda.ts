import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { Action } from '../../shared/protocol/frames.ts';
import { parseSubscription } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { unsubscribe } from './unsubscribe.ts';

const config = loadConfig(process.env, { ...settings, transport });
const deps = assemble(config, { dynamodb: createClient(config.transport, DynamoDBClient) }, systemClock);

export const handler = route(
  parseSubscription(Action.unsubscribe),
  (input) => unsubscribe(input, deps),
  deps.limits,
);
