import middy from '@middy/core';

/** What Lambda gives beside the event, as far as it is read here. */
export interface Context {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}
export type Handler<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/** One invocation as its middleware see it. */
interface Invocation {
  event: unknown;
  readonly context: Context;
  response: unknown;
  readonly error: unknown;
  /** What they tell each other: the id of the client's command, as soon as it is known. */
  readonly internal: { id?: string };
}

/** One job that every invocation needs done. The first `onError` that returns a value answers in place of `run`. */
export interface Middleware {
  before?(invocation: Invocation): void | Promise<void>;
  after?(invocation: Invocation): void | Promise<void>;
  onError?(invocation: Invocation): unknown;
}

/** A Lambda's handler: `run` with its middleware around it, the first of them outermost. */
export const stack = <Event, Input, Result>(
  middleware: readonly Middleware[],
  run: (input: Input, context: Context) => unknown,
): Handler<Event, Result> =>
  // A cast, because middy's types take what `run` gets for the event and what it returns for the result: here a
  // middleware may have made the one of the event, and may make the result of the other.
  middy<Event, Result>()
    .use([...middleware])
    .handler(run as never);
