/** What became of one post. A failure may be tried again; a gone connection never comes back. */
export type PostOutcome =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'gone' }
  /** API Gateway asks for fewer posts, or the client reads too slowly: 429 means either. */
  | { readonly outcome: 'throttled'; readonly reason: string }
  /** There was no answer in the time that it was given: the connection may have got it, or may get it yet. */
  | { readonly outcome: 'unanswered'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string };

/**
 * Posts one frame to one connection, and always settles: without an answer when what the setting `postTimeoutMs` says is
 * over, or `timeoutMs` after the request was sent. (A worker that opens many sockets at once takes long until then.)
 */
export type Post = (connectionId: string, frame: Uint8Array, timeoutMs?: number) => Promise<PostOutcome>;

/** One socket for every post in flight: a post that waits for a socket would be charged for the wait by its deadline. */
export const POSTS_IN_FLIGHT_MAX = 200;

export const DELIVERED: PostOutcome = { outcome: 'delivered' };
export const GONE: PostOutcome = { outcome: 'gone' };
export const unanswered = (timeoutMs: number): PostOutcome => ({
  outcome: 'unanswered',
  reason: `no answer within ${timeoutMs} ms`,
});

/**
 * Whether a status of @connections says that there is no such connection, and never will be again: 410, or 400 for an
 * id that no connection can have, which the service model does not know.
 */
export const meansGone = (status: number | undefined): boolean => status === 410 || status === 400;
