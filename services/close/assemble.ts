import { DeleteConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { createSdkPost, isGone } from '../../shared/delivery/sdk-post.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import type { WorkerDeps } from '../../shared/lambda/worker.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import { createDeadLetters } from '../../shared/queues/queues.ts';
import { createRedelivery } from '../../shared/queues/redelivery.ts';
import type { CloseDeps } from './close.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  accessTable: text('ACCESS_TABLE'),
  closingQueueUrl: text('CLOSING_QUEUE_URL'),
  badEventsUrl: text('CLOSING_DEAD_LETTERS_URL'),
};

/** Who does not take a frame for so long is closed without one. */
const POST_TIMEOUT_MS = 1_000;
const DISCONNECT_TIMEOUT_MS = 5_000;

/** Makes what `close` and its stack need. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, sqs, management }: Pick<Clients, 'dynamodb' | 'sqs' | 'management'>,
  clock: Clock,
): CloseDeps & WorkerDeps => ({
  now: clock.now,
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
  revocations: createRevocations(dynamodb, config.accessTable, clock),
  closings: createClosings(sqs, config.closingQueueUrl, clock.now),
  badEvents: createDeadLetters(sqs, config.badEventsUrl),
  redeliver: createRedelivery(sqs, config.closingQueueUrl, clock),
  post: createSdkPost(management, POST_TIMEOUT_MS),
  disconnect: async (connectionId) => {
    try {
      await management.send(new DeleteConnectionCommand({ ConnectionId: connectionId }), {
        abortSignal: AbortSignal.timeout(DISCONNECT_TIMEOUT_MS),
      });
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  },
});
