/** How a stubbed connection answers posts, in per cent of all connections; the rest take what they get. */
export interface Conduct {
  readonly gone: number;
  readonly hang: number;
  readonly throttled: number;
  /** How often a throttled connection answers 429 before it takes a post. */
  readonly throttledTimes: number;
  /** So many connections, from 0 on, hang whatever their share is. */
  readonly firstHang?: number;
}
export const GOOD_CONDUCT: Conduct = { gone: 0, hang: 0, throttled: 0, throttledTimes: 0 };

type Answer = 'taken' | 'gone' | 'hang' | 'throttled';

/** Scattered, so that jobs that run side by side do not all come to their bad connections at the same time. */
export function conductOf(connection: number, { gone, hang, throttled, firstHang = 0 }: Conduct): Answer {
  if (connection < firstHang) return 'hang';
  const place = (37 * connection + 13 * Math.floor(connection / 100)) % 100;
  if (place < gone) return 'gone';
  if (place < gone + hang) return 'hang';
  return place < gone + hang + throttled ? 'throttled' : 'taken';
}

const ID_LENGTH = 15;

/** Ids as API Gateway's are: 16 characters that end in `=`. */
export const connectionIdOf = (connection: number): string =>
  `${String(connection).padStart(ID_LENGTH, '0')}=`;
export const connectionOf = (connectionId: string): number => Number.parseInt(connectionId, 10);

/** The same in every thread, and finer than `Date.now`. */
export const clockMs = (): number => performance.timeOrigin + performance.now();

/** What the stubbed connections are sent: which message it is, and when it was published. */
export interface CrowdData {
  readonly message: number;
  readonly publishedAtMs: number;
}

export interface Question {
  /** By message: so many connections, from 0 on, must have got it. */
  readonly due: Readonly<Record<number, number>>;
}
/** Messages, from one number to another. */
export interface Span {
  readonly from: number;
  readonly to: number;
}
/** From publishing to taking, over all that took one of the messages. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}
export interface Report {
  /** Requests that came in, whatever was answered. */
  readonly posts: number;
  /** By message: connections that took it. */
  readonly reached: Readonly<Record<number, number>>;
  /** By message: connections that were due it and did not get it, but for those that never take anything. */
  readonly missed: Readonly<Record<number, number>>;
  /** Connections that took a message once more, over all messages. */
  readonly twice: number;
  /** From publishing to taking, by message. */
  readonly p50Ms: Readonly<Record<number, number>>;
  readonly p99Ms: Readonly<Record<number, number>>;
  /** From publishing to the last one that took it, by message. */
  readonly lastMs: Readonly<Record<number, number>>;
  /** The most requests within any second, and the mean between the first and the last. */
  readonly busiestSecond: number;
  readonly meanPerSecond: number;
}
