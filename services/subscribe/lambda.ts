import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSubscribe } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { subscribe } from './subscribe.ts';

const config = loadConfig(process.env, settings);
const deps = assemble(config, { dynamodb: lean(DynamoDBClient) }, systemClock);

export const handler = route(parseSubscribe, (input) => subscribe(input, deps));
