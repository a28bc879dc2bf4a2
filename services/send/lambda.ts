import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSend } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { send } from './send.ts';

const config = loadConfig(process.env, settings);
const deps = assemble(config, { eventBridge: lean(EventBridgeClient) }, systemClock);

export const handler = route(parseSend, (input) => send(input, deps));
