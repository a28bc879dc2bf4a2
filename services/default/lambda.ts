import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, transport } from '../../shared/lambda/config.ts';
import { route } from '../../shared/lambda/route.ts';
import { assemble, settings } from './assemble.ts';
import { parseUnknown } from './unknown.ts';

const config = loadConfig(process.env, { ...settings, transport });
const clients = {
  late: async () =>
    (await import('../../shared/aws/sdk/late-dynamodb.ts')).createLateDynamodb(config.transport),
};
const deps = assemble(config, clients, systemClock);

export const handler = route<never>(parseUnknown, ({ frame }) => frame, deps.limits);
