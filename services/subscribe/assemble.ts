import { createGuard } from '../../shared/auth/guard.ts';
import { type GrantClients, takeLate } from '../../shared/auth/own-token.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, namespaces, positiveInteger, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import { historyCost } from '../../shared/limits/costs.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { SubscribeFrame } from '../../shared/protocol/parse.ts';
import type { SubscribeDeps } from './subscribe.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  messagesTable: text('MESSAGES_TABLE'),
  subscriptionsMax: positiveInteger('SUBSCRIPTIONS_MAX'),
  namespaces,
  authorization,
  ...limitSettings,
};

/** Makes what `subscribe` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, takeGrant }: Pick<Clients, 'dynamodb'> & GrantClients,
  clock: Clock,
): SubscribeDeps & LimitedDeps<SubscribeFrame> => {
  const connections = createConnections(dynamodb, config.connectionsTable, clock.now);
  return {
    ...clock,
    connections,
    subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
    shards: createShards(dynamodb, config.topicsTable, clock),
    logs: createLogs(dynamodb, config, clock),
    namespaces: config.namespaces,
    subscriptionsMax: config.subscriptionsMax,
    guard: createGuard({ ...config, connections, now: clock.now }),
    takeToken: takeLate(takeGrant),
    limits: assembleLimits(config, async () => ({ dynamodb }), clock, historyCost),
  };
};
