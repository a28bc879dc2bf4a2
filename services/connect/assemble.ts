import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import { limitSettings } from '../../shared/limits/assemble.ts';
import { assemblePlaces } from '../../shared/limits/places.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import type { ConnectDeps } from './connect.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  closingQueueUrl: text('CLOSING_QUEUE_URL'),
  authorization,
  ...limitSettings,
};

interface ConnectClients extends Pick<Clients, 'dynamodb'> {
  /** Called when it is needed: for a token that ends soon. */
  readonly late: () => Promise<Pick<Clients, 'sqs'>>;
}

/** Makes what `connect` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, late }: ConnectClients,
  clock: Clock,
): ConnectDeps => ({
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  authorization: config.authorization,
  placesMax: config.limits,
  admissions: assemblePlaces(config, { dynamodb }, clock),
  revocations: createRevocations(dynamodb, config.accessTable, clock),
  closings: {
    closeAt: async (...end) =>
      createClosings((await late()).sqs, config.closingQueueUrl, clock.now).closeAt(...end),
  },
  now: clock.now,
});
