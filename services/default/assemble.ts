import type { Clock } from '../../shared/lambda/clock.ts';
import type { Config } from '../../shared/lambda/config.ts';
import { assembleLimits, type LateClients, limitSettings } from '../../shared/limits/assemble.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';

/** The environment variables that it takes. */
export const settings = limitSettings;

/** Makes what the answer to an unknown command needs. */
export const assemble = (
  config: Config<typeof settings>,
  { late }: LateClients,
  clock: Clock,
): LimitedDeps<never> => ({ limits: assembleLimits(config, late, clock) });
