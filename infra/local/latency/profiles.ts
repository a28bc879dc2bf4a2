/** A latency by its percentiles, rising from share 0 to share 1: [share, milliseconds]. In between it is linear. */
export type Percentiles = readonly (readonly [share: number, ms: number])[];

/** How long what goes between the parts of a system takes. */
export interface Profile {
  /** From a PutEvents to a target of a rule. */
  readonly bus: Percentiles;
  /** Until a PutEvents is answered. */
  readonly putEvents: Percentiles;
  /** From when a message may be taken from a queue to when its function is invoked with it. */
  readonly queue: Percentiles;
  /** A request to a table. */
  readonly table: Percentiles;
  /** A call to @connections. */
  readonly management: Percentiles;
}

export const PROFILES = {
  /** As on AWS within a region, on an ordinary day. */
  aws: {
    // Measured by a third party, to a function (bitesizedserverless.com, 2023): p50 148, p99 387.
    bus: [
      [0, 60],
      [0.5, 148],
      [0.99, 387],
      [1, 400],
    ],
    // Assumption: nobody publishes it.
    putEvents: [
      [0, 10],
      [0.5, 18],
      [0.95, 40],
      [0.99, 80],
      [1, 150],
    ],
    // The same third party has p50 16, p99 105; what is above 60 ms counts there as a poller's start.
    queue: [
      [0, 5],
      [0.5, 16],
      [0.95, 45],
      [1, 60],
    ],
    // "Single-digit milliseconds" (DynamoDB), as seen from a function; the tail is an assumption.
    table: [
      [0, 2],
      [0.5, 4.5],
      [0.95, 12],
      [0.99, 20],
      [1, 60],
    ],
    // Field reports are of 5 to 50 ms; the tail is an assumption.
    management: [
      [0, 5],
      [0.5, 12],
      [0.95, 30],
      [0.99, 60],
      [1, 300],
    ],
  },
} satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

export const isProfileName = (name: string): name is ProfileName => Object.hasOwn(PROFILES, name);

/** One latency, in milliseconds. `share` is from 0 up to but not including 1. */
export function latencyAt(percentiles: Percentiles, share: number): number {
  let [lowShare, lowMs] = percentiles[0] ?? [0, 0];
  for (const [highShare, highMs] of percentiles) {
    if (share < highShare) return lowMs + ((share - lowShare) / (highShare - lowShare)) * (highMs - lowMs);
    lowShare = highShare;
    lowMs = highMs;
  }
  return lowMs;
}
