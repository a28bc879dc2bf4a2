import { createGuard } from '../../shared/auth/guard.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createHeads } from '../../shared/data/heads.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, namespaces, positiveInteger, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { PingFrame } from '../../shared/protocol/parse.ts';
import type { PingDeps } from './ping.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  topicsTable: text('TOPICS_TABLE'),
  rolloverAfterSeconds: positiveInteger('ROLLOVER_AFTER_SECONDS'),
  namespaces,
  authorization,
  ...limitSettings,
};

/** Makes what `ping` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { dynamodb }: Pick<Clients, 'dynamodb'>,
  clock: Clock,
): PingDeps & LimitedDeps<PingFrame> => ({
  heads: createHeads(dynamodb, config.topicsTable, clock),
  rolloverAfterMs: config.rolloverAfterSeconds * 1000,
  guard: createGuard({
    ...config,
    connections: createConnections(dynamodb, config.connectionsTable, clock.now),
    now: clock.now,
  }),
  now: clock.now,
  limits: assembleLimits(config, async () => ({ dynamodb }), clock),
});
