import type { Rate, RateName } from '../protocol/limits.ts';

/** When each bucket is full again, in epoch milliseconds. One that is not named is full. */
export type Levels = Readonly<Partial<Record<RateName, number>>>;

/** How long it takes until so much has come into a bucket. */
export const spanMsOf = (amount: number, { perSecond }: Rate): number => (amount * 1_000) / perSecond;

/** How much is in a bucket; less than nothing if more was taken than it held. */
export const leftIn = (rate: Rate, fullAtMs: number | undefined, nowMs: number): number =>
  rate.burst - (Math.max(0, (fullAtMs ?? -Infinity) - nowMs) * rate.perSecond) / 1_000;

/** Shorter waits are none: sums that were rounded differ by as much. */
const WAIT_MIN_MS = 0.001;

/** How long it takes until so much is in a bucket, if nothing is taken meanwhile. */
export function waitMsFor(amount: number, rate: Rate, fullAtMs: number | undefined, nowMs: number): number {
  const waitMs = spanMsOf(amount - leftIn(rate, fullAtMs, nowMs), rate);
  return waitMs < WAIT_MIN_MS ? 0 : waitMs;
}
