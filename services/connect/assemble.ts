import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import type { ConnectDeps } from './connect.ts';

/** The environment variables that it takes. */
export const settings = { connectionsTable: text('CONNECTIONS_TABLE'), authorization };

/** Makes what `connect` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  { now }: Clock,
): ConnectDeps => ({
  connections: createConnections(dynamodb, config.connectionsTable, now),
  authorization: config.authorization,
});
