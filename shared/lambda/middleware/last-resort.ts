import { logger } from '../logger.ts';
import type { Middleware } from '../stack.ts';

/**
 * Logs, once, the error that no other middleware answered. A route answers with `reply`, which tells the client nothing of
 * it, except that it is to come again; without one the error goes on, so that Lambda and SQS try again.
 */
export const lastResort = <R>(reply?: (error: unknown, id: string | undefined) => R): Middleware => ({
  onError({ error, internal }) {
    logger.error('invocation failed', error as Error);
    return reply?.(error, internal.id);
  },
});
