import { createGuard } from '../../shared/auth/guard.ts';
import { type GrantClients, takeLate } from '../../shared/auth/own-token.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createLogs } from '../../shared/data/log.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, namespaces, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import { historyCost } from '../../shared/limits/costs.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { HistoryFrame } from '../../shared/protocol/parse.ts';
import type { HistoryDeps } from './history.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  messagesTable: text('MESSAGES_TABLE'),
  namespaces,
  authorization,
  ...limitSettings,
};

/** Makes what `history` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb, takeGrant }: Pick<Clients, 'dynamodb'> & GrantClients,
  clock: Clock,
): HistoryDeps & LimitedDeps<HistoryFrame> => ({
  ...clock,
  logs: createLogs(dynamodb, config, clock),
  namespaces: config.namespaces,
  guard: createGuard({
    ...config,
    connections: createConnections(dynamodb, config.connectionsTable, clock.now),
    now: clock.now,
  }),
  takeToken: takeLate(takeGrant),
  limits: assembleLimits(config, async () => ({ dynamodb }), clock, historyCost),
});
