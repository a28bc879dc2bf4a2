/**
 * Seeds that find what was wrong once, tried out with the bug back in place. What a seed does changes with the
 * simulation and with the requests that the services make, so that each of them does so only for a while.
 */
export const SEEDS: Readonly<Record<number, string>> = {
  16: 'that a rewind stops at a page of the log that is short',
  27: 'that a connection without a row goes on as if nothing were amiss',
  450: 'that the next connection does not take the subscriptions over',
  593: 'that nobody asks whether a quiet topic has gone on',
  1404: 'that frames are sent past one that failed',
  2504: 'that a last value is replayed that comes live, too',
};
