import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createAdmissions } from '../../shared/data/admissions.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, limits, text } from '../../shared/lambda/config.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import type { ConnectDeps } from './connect.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  accessTable: text('ACCESS_TABLE'),
  closingQueueUrl: text('CLOSING_QUEUE_URL'),
  authorization,
  limits,
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
  admissions: createAdmissions(dynamodb, config, config.limits, clock.now),
  revocations: createRevocations(dynamodb, config.accessTable, clock),
  closings: {
    closeAt: async (...end) =>
      createClosings((await late()).sqs, config.closingQueueUrl, clock.now).closeAt(...end),
  },
  now: clock.now,
});
