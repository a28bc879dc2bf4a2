import type { MiddlewareObj } from '@middy/core';
import { logger } from '../logger.ts';

/**
 * Logs, once, the error that nobody handled. A route answers with `reply`, which tells the client nothing of it;
 * without one the error goes on, so that Lambda and SQS try again.
 */
export const lastResort = <R>(reply?: (id: string | undefined) => R): MiddlewareObj => ({
  onError({ error, internal }) {
    logger.error('invocation failed', error as Error);
    return reply?.((internal as { id?: string }).id);
  },
});
