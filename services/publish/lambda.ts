import { randomUUID } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { loadConfig, namespaces, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parsePublish } from '../../shared/protocol/parse.ts';
import { createBus } from '../../shared/queues/bus.ts';
import { publish } from './publish.ts';

const config = loadConfig(process.env, { eventBusName: text('EVENT_BUS_NAME'), namespaces });
const deps = {
  bus: createBus(lean(EventBridgeClient), config.eventBusName),
  namespaces: config.namespaces,
  now: Date.now,
  newId: randomUUID,
};

export const handler = route(parsePublish, (input) => publish(input, deps));
