import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import type { ConnectDeps } from './connect.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  accessTable: text('ACCESS_TABLE'),
  authorization,
};

/** Makes what `connect` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  clock: Clock,
): ConnectDeps => ({
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  authorization: config.authorization,
  revocations: createRevocations(dynamodb, config.accessTable, clock),
});
