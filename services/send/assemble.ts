import { once } from '../../shared/async.ts';
import { createGuard } from '../../shared/auth/guard.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import { assembleLimits, type LateClients, limitSettings } from '../../shared/limits/assemble.ts';
import { sendCost } from '../../shared/limits/costs.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { SendFrame } from '../../shared/protocol/parse.ts';
import { createBus } from '../../shared/queues/bus.ts';
import type { SendDeps } from './send.ts';

/** The environment variables that it takes. */
export const settings = {
  eventBusName: text('EVENT_BUS_NAME'),
  connectionsTable: text('CONNECTIONS_TABLE'),
  authorization,
  ...limitSettings,
};

/** Makes what `send` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { eventBridge, late }: Pick<Clients, 'eventBridge'> & LateClients,
  clock: Clock,
): SendDeps & LimitedDeps<SendFrame> => {
  const { now } = clock;
  // Called when a token that comes with a command does not do: most never need a table.
  const connections = once(async () => {
    const [{ createConnections }, { dynamodb }] = await Promise.all([
      import('../../shared/data/connections.ts'),
      late(),
    ]);
    return createConnections(dynamodb, config.connectionsTable, now);
  });
  return {
    ...clock,
    bus: createBus(eventBridge, config.eventBusName, clock),
    guard: createGuard({
      ...config,
      connections: { standing: async (connectionId) => (await connections()).standing(connectionId) },
      now,
    }),
    limits: assembleLimits(config, late, clock, sendCost),
  };
};
