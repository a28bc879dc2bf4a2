/** The time and chance that retries need: a part of `Clock`. */
export interface RetryClock {
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<void>;
  /** At least 0 and less than 1. */
  readonly random: () => number;
}

/** How long to go on, and how long to wait in between. */
export interface RetryLimits {
  /** The longest that the first wait can be; each may be twice as long as the one before it. */
  readonly firstWaitMs: number;
  readonly waitMaxMs: number;
  /** No try begins later than this after the first one. */
  readonly totalMs: number;
}

/** Equal jitter, between half of it and all of it: those that failed together do not come back together. */
export const jittered = (most: number, random: () => number): number => most * (0.5 + random() / 2);

/**
 * Has a batch call take all of `items`. What it refuses is sent again, in its order, until it is taken or the time
 * is over; what it has taken is not. `send` answers with what it was given and was refused, and throws for what
 * no later try can cure. Answers with what is refused still: nothing, if all went well.
 */
export async function untilTaken<T>(
  items: readonly T[],
  send: (rest: readonly T[]) => Promise<readonly T[]>,
  { firstWaitMs, waitMaxMs, totalMs }: RetryLimits,
  { now, wait, random }: RetryClock,
): Promise<readonly T[]> {
  const endMs = now() + totalMs;
  let rest = items;
  for (let longestMs = firstWaitMs; rest.length > 0; longestMs = Math.min(2 * longestMs, waitMaxMs)) {
    rest = await send(rest);
    const waitMs = jittered(longestMs, random);
    if (rest.length === 0 || now() + waitMs > endMs) break;
    await wait(waitMs);
  }
  return rest;
}

/** A service did not take something, however often it was asked. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** What AWS calls it when a call is too much at the moment (the codes that the SDK's retries go by). */
const THROTTLES: ReadonlySet<unknown> = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
]);

/** Whether a service has refused a whole call, or the rest of one, for now: it will take it later. */
export const isThrottle = (error: unknown): error is Error =>
  error instanceof RefusedError || (error instanceof Error && THROTTLES.has(error.name));

/** Whether a service has failed, whatever it was asked: the SDK's errors have the status of the answer. */
export const isOutage = (error: unknown): boolean => {
  const { $metadata } = (error ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return Number($metadata?.httpStatusCode) >= 500;
};
