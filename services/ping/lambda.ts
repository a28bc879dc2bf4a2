import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { ping } from './ping.ts';

const config = loadConfig(process.env, settings);
const deps = assemble(config, { dynamodb: lean(DynamoDBClient) }, systemClock);

export const handler = route(parsePing, (input) => ping(input, deps));
