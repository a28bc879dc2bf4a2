import type { Clients } from '../aws/sdk/clients.ts';
import { createBudget } from '../data/budget.ts';
import { createConnections } from '../data/connections.ts';
import { createForget } from '../data/forget.ts';
import { createSubscriptions } from '../data/subscriptions.ts';
import type { Clock } from '../lambda/clock.ts';
import { createDeadLetters, createDeliveryQueue } from '../queues/queues.ts';
import { createRedelivery } from '../queues/redelivery.ts';
import type { DeliveryConfig } from './deps.ts';

/** Everything of a delivery that needs the SDK, in a module of its own so that it can be loaded late. */
export function createStores(
  config: DeliveryConfig,
  { dynamodb, sqs }: Pick<Clients, 'dynamodb' | 'sqs'>,
  clock: Clock,
) {
  const { now } = clock;
  const connections = createConnections(dynamodb, config.connectionsTable, now);
  const subscriptions = createSubscriptions(dynamodb, config.subscriptionsTable, clock);
  return {
    budget: createBudget(dynamodb, config.topicsTable, now),
    forget: createForget({ connections, subscriptions, now }),
    deliveryQueue: createDeliveryQueue(sqs, config.deliveryQueueUrl, clock),
    slowQueue: createDeliveryQueue(sqs, config.slowQueueUrl, clock),
    deadLetters: createDeadLetters(sqs, config.deadLettersUrl),
    redeliver: createRedelivery(sqs, config.deliveryQueueUrl, clock),
  };
}
