import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { positiveInteger, text } from '../config.ts';
import { createConnections } from '../connections.ts';
import { createForget } from '../forget.ts';
import { createDeadLetters, createDeliveryQueue } from '../queues.ts';
import { createSubscriptions } from '../subscriptions.ts';
import { createTopics } from '../topics.ts';
import { createPost } from './post.ts';

/** What the fan-out and the delivery worker have in common. */
export const deliverySettings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  deliveryQueueUrl: text('DELIVERY_QUEUE_URL'),
  deadLettersUrl: text('DELIVERY_DEAD_LETTERS_URL'),
  callbackUrl: text('CALLBACK_URL'),
  attemptsMax: positiveInteger('DELIVERY_ATTEMPTS_MAX'),
  postTimeoutMs: positiveInteger('POST_TIMEOUT_MS'),
};

/** Jobs that an invocation works on at the same time, and posts that each of them has in flight. */
export const JOBS_IN_FLIGHT_MAX = 4;
export const POSTS_IN_FLIGHT_MAX = 50;
/** One socket for every post in flight: a post that waits for a socket would be charged for the wait by its deadline. */
const SOCKETS_MAX = JOBS_IN_FLIGHT_MAX * POSTS_IN_FLIGHT_MAX;

export function createDelivery(
  config: {
    readonly [K in keyof typeof deliverySettings]: ReturnType<(typeof deliverySettings)[K]['parse']>;
  },
) {
  const dynamodb = new DynamoDBClient();
  const sqs = new SQSClient();
  const management = new ApiGatewayManagementApiClient({
    endpoint: config.callbackUrl,
    maxAttempts: 1,
    requestHandler: { httpAgent: { maxSockets: SOCKETS_MAX }, httpsAgent: { maxSockets: SOCKETS_MAX } },
  });
  const connections = createConnections(dynamodb, config.connectionsTable, Date.now);
  const subscriptions = createSubscriptions(dynamodb, config.subscriptionsTable, Date.now);
  const topics = createTopics(dynamodb, config.topicsTable, Date.now);
  return {
    connections,
    subscriptions,
    topics,
    post: createPost(management, config.postTimeoutMs),
    postsInFlightMax: POSTS_IN_FLIGHT_MAX,
    forget: createForget({ connections, subscriptions, topics, now: Date.now }),
    deliveryQueue: createDeliveryQueue(sqs, config.deliveryQueueUrl),
    deadLetters: createDeadLetters(sqs, config.deadLettersUrl),
    attemptsMax: config.attemptsMax,
    random: Math.random,
    sqs,
  };
}
