import { once } from '../../shared/async.ts';
import { createGuard } from '../../shared/auth/guard.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import type { Connections } from '../../shared/data/connections.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import { createBus } from '../../shared/queues/bus.ts';
import type { SendDeps } from './send.ts';

/** The environment variables that it takes. */
export const settings = { eventBusName: text('EVENT_BUS_NAME'), authorization };

export interface SendClients extends Pick<Clients, 'eventBridge'> {
  /** Called when a token that comes with a command does not do: most never need a table. */
  readonly lateConnections: () => Promise<Pick<Connections, 'standing'>>;
}

/** Makes what `send` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { eventBridge, lateConnections }: SendClients,
  clock: Clock,
): SendDeps => {
  const connections = once(lateConnections);
  return {
    ...clock,
    bus: createBus(eventBridge, config.eventBusName, clock),
    guard: createGuard({
      ...config,
      connections: { standing: async (connectionId) => (await connections()).standing(connectionId) },
      now: clock.now,
    }),
  };
};
