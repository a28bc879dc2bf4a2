import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createLogs } from '../../shared/data/log.ts';
import { loadConfig, namespaces, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseHistory } from '../../shared/protocol/parse.ts';
import { history } from './history.ts';

const config = loadConfig(process.env, {
  topicsTable: text('TOPICS_TABLE'),
  messagesTable: text('MESSAGES_TABLE'),
  namespaces,
});
const deps = {
  logs: createLogs(lean(DynamoDBClient), config, Date.now),
  namespaces: config.namespaces,
  newId: randomUUID,
  now: Date.now,
  wait: (ms: number) => wait(ms),
};

export const handler = route(parseHistory, (input) => history(input, deps));
