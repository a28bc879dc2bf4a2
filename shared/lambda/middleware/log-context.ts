import { logger } from '../logger.ts';
import type { Middleware } from '../stack.ts';

/** Puts the invocation's and the connection's id on every line that it logs. */
export const logContext = (): Middleware => ({
  before({ event, context }) {
    logger.resetKeys();
    const { connectionId } = (event as { requestContext?: { connectionId?: string } }).requestContext ?? {};
    logger.appendKeys({ awsRequestId: context.awsRequestId, ...(connectionId && { connectionId }) });
  },
});
