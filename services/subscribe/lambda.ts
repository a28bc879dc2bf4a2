import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSubscribe } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { subscribe } from './subscribe.ts';

const config = loadConfig(process.env, {
  ...settings,
  transport,
  grantsSecret: text('GRANTS_SECRET'),
  audience: text('CALLBACK_URL'),
  accessTable: text('ACCESS_TABLE'),
});
const dynamodb = createClient(config.transport, DynamoDBClient);
const takeGrant = async () => {
  const { createTakeGrant } = await import('../../shared/auth/late-grants.ts');
  return createTakeGrant(config, dynamodb, systemClock);
};
const deps = assemble(config, { dynamodb, takeGrant }, systemClock);

export const handler = route(parseSubscribe, (input) => subscribe(input, deps), deps.limits);
