import { createGuard } from '../../shared/auth/guard.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { authorization, type Config, text } from '../../shared/lambda/config.ts';
import { createBus } from '../../shared/queues/bus.ts';
import type { SendDeps } from './send.ts';

/** The environment variables that it takes. */
export const settings = { eventBusName: text('EVENT_BUS_NAME'), authorization };

/** Makes what `send` needs. */
export const assemble = (
  config: Config<typeof settings>,
  { eventBridge }: Pick<Clients, 'eventBridge'>,
  clock: Clock,
): SendDeps => ({
  ...clock,
  bus: createBus(eventBridge, config.eventBusName, clock),
  guard: createGuard(config.authorization, clock.now),
});
