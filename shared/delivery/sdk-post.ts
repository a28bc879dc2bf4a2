import {
  type ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';

/** What became of one post. A failure may be tried again; a gone connection never comes back. */
export type PostOutcome =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'gone' }
  /** API Gateway asks for fewer posts, or the client reads too slowly: 429 means either. */
  | { readonly outcome: 'throttled'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string };

/** Posts one frame to one connection, and always settles within its own deadline. */
export type Post = (connectionId: string, frame: Uint8Array) => Promise<PostOutcome>;

const DELIVERED: PostOutcome = { outcome: 'delivered' };
const GONE: PostOutcome = { outcome: 'gone' };

/** `client` must be made with `maxAttempts: 1`: a retry job, not the SDK, tries again. */
export function createPost(client: Pick<ApiGatewayManagementApiClient, 'send'>, timeoutMs: number): Post {
  return async (connectionId, frame) => {
    const deadline = new AbortController();
    // The deadline is ours, because the SDK's own has been reported not to end a hanging post (aws-sdk-js-v3#6896).
    const expired = Promise.withResolvers<PostOutcome>();
    const timer = setTimeout(() => {
      expired.resolve({ outcome: 'failed', reason: `no answer within ${timeoutMs} ms` });
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

/**
 * The status decides, not the class: a 410 without its error-type header is no GoneException.
 * A malformed id gets 400, which the service model does not know; no connection will ever have that id.
 */
export const isGone = (error: unknown): boolean =>
  error instanceof ApiGatewayManagementApiServiceException &&
  [400, 410].includes(error.$metadata.httpStatusCode ?? 0);

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
