import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import { limitSettings } from '../../shared/limits/assemble.ts';
import { assemblePlaces } from '../../shared/limits/places.ts';
import type { DisconnectDeps } from './disconnect.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  ...limitSettings,
};

/** Makes what `disconnect` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  clock: Clock,
): DisconnectDeps => ({
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
  admissions: assemblePlaces(config, { dynamodb }, clock),
});
