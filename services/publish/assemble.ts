import { createGuard } from '../../shared/auth/guard.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, namespaces, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import { publishCost } from '../../shared/limits/costs.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { PublishFrame } from '../../shared/protocol/parse.ts';
import { createBus } from '../../shared/queues/bus.ts';
import type { PublishDeps } from './publish.ts';

/** The environment variables that it takes. */
export const settings = {
  eventBusName: text('EVENT_BUS_NAME'),
  topicsTable: text('TOPICS_TABLE'),
  messagesTable: text('MESSAGES_TABLE'),
  connectionsTable: text('CONNECTIONS_TABLE'),
  namespaces,
  authorization,
  ...limitSettings,
};

/** Makes what `publish` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, eventBridge }: Pick<Clients, 'dynamodb' | 'eventBridge'>,
  clock: Clock,
): PublishDeps & LimitedDeps<PublishFrame> => ({
  ...clock,
  bus: createBus(eventBridge, config.eventBusName, clock),
  logs: createLogs(dynamodb, config, clock),
  logTable: config.messagesTable,
  epochs: new Map(),
  namespaces: config.namespaces,
  guard: createGuard({
    ...config,
    connections: createConnections(dynamodb, config.connectionsTable, clock.now),
    now: clock.now,
  }),
  limits: assembleLimits(config, async () => ({ dynamodb }), clock, publishCost),
});
