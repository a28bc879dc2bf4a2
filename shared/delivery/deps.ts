import { createLimit, once } from '../async.ts';
import type { Clients } from '../aws/sdk/clients.ts';
import type { Clock } from '../lambda/clock.ts';
import { type Config, positiveInteger, text } from '../lambda/config.ts';
import type { WorkerDeps } from '../lambda/worker.ts';
import { createPace } from './pace.ts';
import { createPatience } from './patience.ts';
import { POSTS_IN_FLIGHT_MAX, type Post } from './post.ts';
import type { RunDeps } from './run.ts';

/** What the fan-out and the delivery worker have in common. */
export const deliverySettings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  deliveryQueueUrl: text('DELIVERY_QUEUE_URL'),
  slowQueueUrl: text('SLOW_QUEUE_URL'),
  deadLettersUrl: text('DELIVERY_DEAD_LETTERS_URL'),
  attemptsMax: positiveInteger('DELIVERY_ATTEMPTS_MAX'),
  postTimeoutMs: positiveInteger('POST_TIMEOUT_MS'),
  requestsPerSecondMax: positiveInteger('REQUESTS_PER_SECOND_MAX'),
  environmentsMax: positiveInteger('ENVIRONMENTS_MAX'),
};
export type DeliveryConfig = Config<typeof deliverySettings>;

export interface DeliveryClients {
  readonly post: Post;
  /** Called when the first of them is needed: a delivery to connections that are all there needs neither. */
  readonly late: () => Promise<Pick<Clients, 'dynamodb' | 'sqs'>>;
}

/** Makes what a delivery and the stack of its worker need. */
export function createDelivery(
  config: DeliveryConfig,
  { post, late }: DeliveryClients,
  clock: Clock,
): RunDeps & WorkerDeps {
  const stores = once(async () => {
    const [{ createStores }, clients] = await Promise.all([import('./stores.ts'), late()]);
    return createStores(config, clients, clock);
  });
  return {
    post,
    inFlight: createLimit(POSTS_IN_FLIGHT_MAX),
    pace: createPace({
      ...clock,
      budget: { take: async (...span) => (await stores()).budget.take(...span) },
      requestsPerSecondMax: config.requestsPerSecondMax,
      environmentsMax: config.environmentsMax,
    }),
    patience: createPatience({ postTimeoutMs: config.postTimeoutMs, now: clock.now }),
    now: clock.now,
    random: clock.random,
    forget: async (...whom) => (await stores()).forget(...whom),
    deliveryQueue: { enqueue: async (...jobs) => (await stores()).deliveryQueue.enqueue(...jobs) },
    slowQueue: { enqueue: async (...jobs) => (await stores()).slowQueue.enqueue(...jobs) },
    deadLetters: { bury: async (...letter) => (await stores()).deadLetters.bury(...letter) },
    redeliver: async (records) => (await stores()).redeliver(records),
    attemptsMax: config.attemptsMax,
  };
}
