import {
  type ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DELIVERED, GONE, meansGone, type Post, type PostOutcome, unanswered } from './post.ts';

/** `client` must be made with `maxAttempts: 1`: a retry job, not the SDK, tries again. */
export function createSdkPost(
  client: Pick<ApiGatewayManagementApiClient, 'send'>,
  usualTimeoutMs: number,
): Post {
  return async (connectionId, frame, timeoutMs = usualTimeoutMs) => {
    const deadline = new AbortController();
    // The deadline is ours, because the SDK's own has been reported not to end a hanging post (aws-sdk-js-v3#6896).
    const expired = Promise.withResolvers<PostOutcome>();
    const timer = setTimeout(() => {
      expired.resolve(unanswered(timeoutMs));
      deadline.abort();
    }, timeoutMs);
    const sent = client
      .send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: frame }), {
        abortSignal: deadline.signal,
      })
      .then(() => DELIVERED, outcomeOf);
    try {
      return await Promise.race([sent, expired.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** The status decides, not the class: a 410 without its error-type header is no GoneException. */
export const isGone = (error: unknown): boolean =>
  error instanceof ApiGatewayManagementApiServiceException && meansGone(error.$metadata.httpStatusCode);

function outcomeOf(error: unknown): PostOutcome {
  if (isGone(error)) return GONE;
  if (!(error instanceof ApiGatewayManagementApiServiceException)) {
    return {
      outcome: 'failed',
      reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    };
  }
  const { httpStatusCode } = error.$metadata;
  return {
    outcome: httpStatusCode === 429 ? 'throttled' : 'failed',
    reason: `${error.name} (HTTP ${httpStatusCode})`,
  };
}
