import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { SubscriptionFrame } from '../../shared/protocol/parse.ts';
import type { UnsubscribeDeps } from './unsubscribe.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  ...limitSettings,
};

/** Makes what `unsubscribe` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  clock: Clock,
): UnsubscribeDeps & LimitedDeps<SubscriptionFrame> => ({
  connections: createConnections(dynamodb, config.connectionsTable, clock.now),
  subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
  shards: createShards(dynamodb, config.topicsTable, clock),
  limits: assembleLimits(config, async () => ({ dynamodb }), clock),
});
