import { randomUUID } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { loadConfig, text } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSend } from '../../shared/protocol/parse.ts';
import { createBus } from '../../shared/queues/bus.ts';
import { send } from './send.ts';

const { eventBusName } = loadConfig(process.env, { eventBusName: text('EVENT_BUS_NAME') });
const deps = {
  bus: createBus(lean(EventBridgeClient), eventBusName),
  now: Date.now,
  newId: randomUUID,
};

export const handler = route(parseSend, (input) => send(input, deps));
