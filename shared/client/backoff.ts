import type { FanwireError } from './errors.ts';

/** Whatever the server says, it is asked again after this time: it may have changed its mind. */
const RETRY_AFTER_MS_MAX = 60_000;

interface BackoffOptions {
  readonly random: () => number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
}

/**
 * How long to wait after so many failures: anything from the least wait up to a bound that doubles each time, so that
 * the clients of a system that restarts do not all come back at once.
 */
export const backoffMs = (failures: number, { random, backoffMsMin, backoffMsMax }: BackoffOptions): number =>
  backoffMsMin + random() * (Math.min(backoffMsMax, backoffMsMin * 2 ** (failures + 1)) - backoffMsMin);

/** The same after an error, and not before the server takes it: many that may go on at one moment do not, either. */
export const retryInMs = (
  { retryAfterMs = 0 }: FanwireError,
  failures: number,
  options: BackoffOptions,
): number => Math.min(retryAfterMs, RETRY_AFTER_MS_MAX) + backoffMs(failures, options);
