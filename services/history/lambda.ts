import { createGrantClients, grantSettings } from '../../shared/auth/grant-clients.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { parseHistory } from '../../shared/protocol/parse.ts';
import { assemble, settings } from './assemble.ts';
import { history } from './history.ts';

const config = loadConfig(process.env, { ...settings, ...grantSettings });
const deps = assemble(config, createGrantClients(config), systemClock);

export const handler = route(parseHistory, (input) => history(input, deps), deps.limits);
