import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { lean } from '../aws/sdk/lean.ts';
import { createBudget } from '../data/budget.ts';
import { createConnections } from '../data/connections.ts';
import { createForget } from '../data/forget.ts';
import { createSubscriptions } from '../data/subscriptions.ts';
import { createDeadLetters, createDeliveryQueue } from '../queues/queues.ts';

/** Everything of a delivery that needs an AWS SDK client, in a module of its own so that it can be loaded late. */
export function createStores(config: {
  readonly connectionsTable: string;
  readonly subscriptionsTable: string;
  readonly topicsTable: string;
  readonly deliveryQueueUrl: string;
  readonly deadLettersUrl: string;
}) {
  const dynamodb = lean(DynamoDBClient);
  const sqs = lean(SQSClient);
  const connections = createConnections(dynamodb, config.connectionsTable, Date.now);
  const subscriptions = createSubscriptions(dynamodb, config.subscriptionsTable, Date.now);
  return {
    budget: createBudget(dynamodb, config.topicsTable, Date.now),
    forget: createForget({ connections, subscriptions, now: Date.now }),
    deliveryQueue: createDeliveryQueue(sqs, config.deliveryQueueUrl),
    deadLetters: createDeadLetters(sqs, config.deadLettersUrl),
  };
}
