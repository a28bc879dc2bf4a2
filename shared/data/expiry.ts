import { TTL_ATTRIBUTE } from './tables.ts';

/** `expiresAt` of an item that is good for so many seconds from a time on. */
export const expiryAfter = (seconds: number, fromMs: number): { readonly N: string } => ({
  N: String(Math.ceil(fromMs / 1000) + seconds),
});

/** TTL deletes late: an item that is read may have expired. */
export const isLive = <I extends { readonly expiresAt?: { readonly N?: string | undefined } }>(
  item: I | undefined,
  nowMs: number,
): item is I => Number(item?.expiresAt?.N) * 1000 > nowMs;

/** `:now` in expressions: rounded down, so that `expiresAt > :now` says what `isLive` says. */
export const nowInSeconds = (nowMs: number): { readonly N: string } => ({
  N: String(Math.floor(nowMs / 1000)),
});

/** The filter of a Query or Scan that leaves out what has expired. */
export const unexpired = (nowMs: number) => ({
  FilterExpression: `${TTL_ATTRIBUTE} > :now`,
  ExpressionAttributeValues: { ':now': nowInSeconds(nowMs) },
});
