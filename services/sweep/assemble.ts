import { GetConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createAdmissions } from '../../shared/data/admissions.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { isGone } from '../../shared/delivery/sdk-post.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import { limitSettings } from '../../shared/limits/assemble.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import type { SweepDeps } from './sweep.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  closingQueueUrl: text('CLOSING_QUEUE_URL'),
  authorization,
  ...limitSettings,
};

/** Makes what `sweep` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, sqs, management }: Pick<Clients, 'dynamodb' | 'sqs' | 'management'>,
  clock: Clock,
): SweepDeps => ({
  ...clock,
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
  recount: () => {
    const { all } = createConnections(dynamodb, config.connectionsTable, clock.now);
    return createAdmissions(dynamodb, config, config.limits, clock.now).mend(all());
  },
  ...(config.authorization === 'required' && {
    closings: createClosings(sqs, config.closingQueueUrl, clock.now),
  }),
  isOpen: async (connectionId) => {
    try {
      await management.send(new GetConnectionCommand({ ConnectionId: connectionId }));
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  },
});
