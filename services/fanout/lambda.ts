import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { createPost, postSettings } from '../../shared/delivery/create-post.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { assemble, settings } from './assemble.ts';
import { fanOut } from './fan-out.ts';

const config = loadConfig(process.env, { ...settings, ...postSettings });
const clients = {
  dynamodb: createClient(config.transport, DynamoDBClient),
  sqs: createClient(config.transport, SQSClient),
  // Lambda sets the trace id anew for every invocation.
  post: await createPost(config, systemClock, () => process.env._X_AMZN_TRACE_ID),
};
const deps = assemble(config, clients, systemClock);

export const handler = worker((records, stopAtMs) => fanOut(records, deps, stopAtMs), deps);
