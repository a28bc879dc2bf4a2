/** What a client uses up as time goes by. What it publishes counts once for each topic that it goes to. */
export const RATES = ['commands', 'publishes', 'publishBytes', 'historyBytes', 'topics'] as const;
export type RateName = (typeof RATES)[number];

/** How fast a bucket fills, and how much is in it when it is full. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}
/** Without a limit on what is not named. */
export type Rates = Readonly<Partial<Record<RateName, Rate>>>;
export type Amounts = Readonly<Partial<Record<RateName, number>>>;

/** What the settings allow clients; absent is as much as they like. */
export interface CompleteLimits {
  /** Of all connections at the same time. */
  readonly connections?: number;
  /** Of the connections of a verified user at the same time. */
  readonly connectionsPerUser?: number;
  /** For a verified user, or else for a connection. */
  readonly rates: Rates;
  /** Bytes of data in one `publish`, times the topics that they go to. */
  readonly publishBytesMax: number;
}

/** A Lambda's setting: written by the template, so trusted. */
export const parseLimits = (text: string): CompleteLimits => JSON.parse(text) as CompleteLimits;
