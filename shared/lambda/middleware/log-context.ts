import type { MiddlewareObj } from '@middy/core';
import { logger } from '../logger.ts';

/** Puts the invocation's and the connection's id on every line that it logs. */
export const logContext = (): MiddlewareObj => ({
  before({ event, context }) {
    logger.resetKeys();
    const { connectionId } = (event as { requestContext?: { connectionId?: string } }).requestContext ?? {};
    logger.appendKeys({ awsRequestId: context.awsRequestId, ...(connectionId && { connectionId }) });
  },
});
