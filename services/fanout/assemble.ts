import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { createDelivery, deliverySettings } from '../../shared/delivery/deps.ts';
import type { Post } from '../../shared/delivery/post.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, namespaces, positiveInteger, text } from '../../shared/lambda/config.ts';
import type { WorkerDeps } from '../../shared/lambda/worker.ts';
import { createDeadLetters } from '../../shared/queues/queues.ts';
import type { FanOutDeps } from './fan-out.ts';

/** The environment variables that it takes. */
export const settings = {
  ...deliverySettings,
  messagesTable: text('MESSAGES_TABLE'),
  namespaces,
  badEventsUrl: text('INGEST_DEAD_LETTERS_URL'),
  inlineMax: positiveInteger('INLINE_MAX'),
  shardSubscribersMax: positiveInteger('SHARD_SUBSCRIBERS_MAX'),
};

interface FanOutClients extends Pick<Clients, 'dynamodb' | 'sqs'> {
  readonly post: Post;
}

/** Makes what `fanOut` and its stack need. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, sqs, post }: FanOutClients,
  clock: Clock,
): FanOutDeps & WorkerDeps => ({
  ...clock,
  ...createDelivery(config, { post, late: async () => ({ dynamodb, sqs }) }, clock),
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
  shards: createShards(dynamodb, config.topicsTable, clock),
  logs: createLogs(dynamodb, config, clock),
  logTable: config.messagesTable,
  namespaces: config.namespaces,
  epochs: new Map(),
  badEvents: createDeadLetters(sqs, config.badEventsUrl),
  inlineMax: config.inlineMax,
  shardSubscribersMax: config.shardSubscribersMax,
});
