import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import type { ConnectEvent } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';
import { assemble, settings } from './assemble.ts';
import { connect } from './connect.ts';

const config = loadConfig(process.env, settings);
const deps = assemble(config, { dynamodb: lean(DynamoDBClient) }, systemClock);

export const handler = lifecycle((event: ConnectEvent) => connect(event, deps));
