import { once } from '../async.ts';
import type { Clients } from '../aws/sdk/clients.ts';
import type { Clock } from '../lambda/clock.ts';
import { type Config, limits, text } from '../lambda/config.ts';
import { logger } from '../lambda/logger.ts';
import { type CommandLimits, type CostOf, createLimits } from './limits.ts';
import { createRefusals, type Refusals } from './refusals.ts';

/** The environment variables that the limits of a route take. */
export const limitSettings = { limits, accessTable: text('ACCESS_TABLE') };

/** Clients that are made when they are first called for. */
export interface LateClients {
  readonly late: () => Promise<Pick<Clients, 'dynamodb'>>;
}

/**
 * Makes the limits of a route. Its clients, and the code that calls the table, are loaded when something is limited: most
 * routes have no need of them otherwise.
 */
export function assembleLimits<F>(
  { limits: settings, accessTable }: Config<typeof limitSettings>,
  late: LateClients['late'],
  { now }: Pick<Clock, 'now'>,
  costOf?: CostOf<F>,
): CommandLimits<F> {
  const allowances = once(async () => {
    const [{ createAllowances }, { dynamodb }] = await Promise.all([import('../data/allowances.ts'), late()]);
    return createAllowances(dynamodb, accessTable, settings.rates, now);
  });
  return createLimits({ limits: settings, allowances, refusals: assembleRefusals({ now }), now }, costOf);
}

export const assembleRefusals = ({ now }: Pick<Clock, 'now'>): Refusals =>
  createRefusals({ warn: (message, fields) => logger.warn(message, fields as never), now });
