import { createGrantClients, grantSettings } from '../../shared/auth/grant-clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseSubscribe } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { subscribe } from './subscribe.ts';

const config = loadConfig(process.env, { ...settings, ...grantSettings });
const deps = assemble(config, createGrantClients(config), systemClock);

export const handler = route(parseSubscribe, (input) => subscribe(input, deps), deps.limits);
