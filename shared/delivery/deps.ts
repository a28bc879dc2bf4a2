import { setTimeout as wait } from 'node:timers/promises';
import { createLimit, once } from '../async.ts';
import { oneOf, positiveInteger, text } from '../lambda/config.ts';
import { createPost, TRANSPORTS } from './create-post.ts';
import { createPace } from './pace.ts';
import type { RunDeps } from './run.ts';

/** What the fan-out and the delivery worker have in common. */
export const deliverySettings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  deliveryQueueUrl: text('DELIVERY_QUEUE_URL'),
  deadLettersUrl: text('DELIVERY_DEAD_LETTERS_URL'),
  callbackUrl: text('CALLBACK_URL'),
  transport: oneOf('POST_TRANSPORT', TRANSPORTS),
  postTimeoutMs: positiveInteger('POST_TIMEOUT_MS'),
  attemptsMax: positiveInteger('DELIVERY_ATTEMPTS_MAX'),
  requestsPerSecondMax: positiveInteger('REQUESTS_PER_SECOND_MAX'),
  environmentsMax: positiveInteger('ENVIRONMENTS_MAX'),
  // Lambda sets these and gives an environment new ones only by replacing it.
  region: text('AWS_REGION'),
  accessKeyId: text('AWS_ACCESS_KEY_ID'),
  secretAccessKey: text('AWS_SECRET_ACCESS_KEY'),
  sessionToken: text('AWS_SESSION_TOKEN'),
};
export type DeliverySettings = {
  readonly [K in keyof typeof deliverySettings]: ReturnType<(typeof deliverySettings)[K]['parse']>;
};

/** One socket for every post in flight: a post that waits for a socket would be charged for the wait by its deadline. */
const POSTS_IN_FLIGHT_MAX = 200;

/** A delivery to connections that are all there needs no SDK, so that is loaded only when it is first called for. */
export async function createDelivery(
  config: DeliverySettings,
  /** Lambda sets it anew for every invocation. */
  traceId: () => string | undefined,
): Promise<RunDeps> {
  const { region, accessKeyId, secretAccessKey, sessionToken } = config;
  const stores = once(async () => (await import('./stores.ts')).createStores(config));
  const clock = { now: Date.now, random: Math.random, wait: (ms: number) => wait(ms) };
  return {
    post: await createPost(config.transport, {
      endpoint: config.callbackUrl,
      region,
      credentials: async () => ({ accessKeyId, secretAccessKey, sessionToken }),
      socketsMax: POSTS_IN_FLIGHT_MAX,
      timeoutMs: config.postTimeoutMs,
      now: Date.now,
      traceId,
    }),
    inFlight: createLimit(POSTS_IN_FLIGHT_MAX),
    pace: createPace({
      ...clock,
      budget: { take: async (...span) => (await stores()).budget.take(...span) },
      requestsPerSecondMax: config.requestsPerSecondMax,
      environmentsMax: config.environmentsMax,
    }),
    now: Date.now,
    random: Math.random,
    forget: async (...whom) => (await stores()).forget(...whom),
    deliveryQueue: { enqueue: async (...jobs) => (await stores()).deliveryQueue.enqueue(...jobs) },
    deadLetters: { bury: async (...letter) => (await stores()).deadLetters.bury(...letter) },
    attemptsMax: config.attemptsMax,
  };
}
