import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { Command } from '../../shared/protocol/frames.ts';
import type { WhoamiDeps } from './whoami.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  endpoint: text('CALLBACK_URL'),
  ...limitSettings,
};

/** Makes what `whoami` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  clock: Clock,
): WhoamiDeps & LimitedDeps<Command> => ({
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  endpoint: config.endpoint,
  limits: assembleLimits(config, async () => ({ dynamodb }), clock),
});
