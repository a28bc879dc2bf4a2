import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import type { WhoamiDeps } from './whoami.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  endpoint: text('CALLBACK_URL'),
};

/** Makes what `whoami` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  { now }: Clock,
): WhoamiDeps => ({
  connections: createConnections(dynamodb, config.connectionsTable, now),
  endpoint: config.endpoint,
});
