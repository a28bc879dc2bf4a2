import type { Budget } from '../data/budget.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { BUSY_MS, LEASE_MS, Turns } from './turns.ts';

/**
 * How urgent a post is. `quick` posts, to a few connections, may run ahead of the shared schedule, so that a message
 * to one connection does not queue behind a broadcast; `bulk` posts take the turns that are left.
 */
export type Urgency = 'quick' | 'bulk';

/** Keeps the posts of all workers together within a budget of requests a second. */
export interface Pace {
  /** Announces posts, so that one lease covers many of them; a negative number takes them back. */
  announce(urgency: Urgency, posts: number): void;
  /** The next post's turn, waited for if it has to be: false if it would not come before `stopAtMs`. */
  takeTurn(urgency: Urgency, stopAtMs: number): boolean | Promise<boolean>;
  /** Notes what a post was answered: when many get 429, the next turns come more slowly. */
  noteAnswer(isThrottled: boolean): void;
}
interface PaceDeps {
  readonly budget: Budget;
  readonly requestsPerSecondMax: number;
  /** Environments that may be at work at the same time. */
  readonly environmentsMax: number;
  readonly now: () => number;
  readonly random: () => number;
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
}

/** A job of up to so many connections is quick. */
const QUICK_CONNECTIONS_MAX = 200;
export const urgencyOf = ({
  urgency,
  connectionIds,
}: Pick<DeliveryJob, 'urgency' | 'connectionIds'>): Urgency =>
  urgency ?? (connectionIds.length <= QUICK_CONNECTIONS_MAX ? 'quick' : 'bulk');

/** Quick posts run ahead by up to this much: API Gateway lets through half a second's worth at once. */
const QUICK_AHEAD_MS = 500;
/** Posts that get no turn for so long wait in the delivery queue instead of the fan-out, which costs no running worker. */
export const INLINE_WAIT_MS = 2_000;
/** What is further away is not taken from the schedule, for the fan-out could not use it. */
const QUICK_BACKLOG_MS = INLINE_WAIT_MS + QUICK_AHEAD_MS;
/** Bulk posts take no more of a schedule that reaches further: one more lease, and quick posts can still run ahead. */
const BULK_BACKLOG_MS = 400;
/**
 * All leases are written to one item, of which DynamoDB takes 1,000 writes a second, those included that fail. So the
 * more environments there may be, the longer one lease does for several small deliveries, and the less often those ask
 * again that find the schedule full. (Where it is used up, there are no more than 20 leases of the whole length a second.)
 */
const WRITES_PER_SECOND_MAX = 800;
/** Two for each urgency; and a pause is three quarters of its greatest length, on average. */
const WRITES_PER_PAUSE = 4 / 0.75;
/** Short enough that a worker that was held up does not post everything it missed at once. */
const BULK_LATE_MS = 10;
/** Share of the budget that is used without a lease: for a post or two, a lease would cost more than they do. */
const UNASKED_SHARE = 0.01;
const UNASKED_BURST_SECONDS = 1;
/** Posts reach API Gateway a little more bunched than they left. */
const BUNCHING_SHARE = 0.027;
/** Share that is leased: what remains beside the unasked posts, their burst and the bunching. */
export const ASKED_SHARE = 1 - UNASKED_SHARE * (1 + UNASKED_BURST_SECONDS) - BUNCHING_SHARE;

export function createPace({ budget, requestsPerSecondMax, environmentsMax, ...deps }: PaceDeps): Pace {
  const speed = createSpeed(deps.now);
  const unasked = createBucket((requestsPerSecondMax * UNASKED_SHARE) / environmentsMax, deps.now);
  const intervalMs = () => (1_000 * speed.slowness()) / (requestsPerSecondMax * ASKED_SHARE);
  const quickLeaseMs = Math.max(LEASE_MS, (1_000 * environmentsMax) / WRITES_PER_SECOND_MAX);
  const busyMsMax = Math.max(BUSY_MS, (1_000 * WRITES_PER_PAUSE * environmentsMax) / WRITES_PER_SECOND_MAX);
  const turns = {
    quick: new Turns({
      ...deps,
      ...{ intervalMs, busyMsMax },
      take: (spanMs) => budget.take(spanMs, QUICK_BACKLOG_MS),
      aheadMs: QUICK_AHEAD_MS,
      lateMs: quickLeaseMs,
      leaseMs: quickLeaseMs,
    }),
    bulk: new Turns({
      ...deps,
      ...{ intervalMs, busyMsMax },
      take: (spanMs) => budget.take(spanMs, BULK_BACKLOG_MS),
      aheadMs: 0,
      lateMs: BULK_LATE_MS,
      leaseMs: LEASE_MS,
    }),
  };
  return {
    announce: (urgency, posts) => turns[urgency].announce(posts),
    takeTurn(urgency, stopAtMs) {
      if (deps.now() < stopAtMs && unasked()) {
        turns[urgency].announce(-1);
        return true;
      }
      return turns[urgency].takeTurn(stopAtMs);
    },
    noteAnswer: speed.noteAnswer,
  };
}

/**
 * One 429 may mean only that a client reads too slowly, which no pace can cure. Where many posts of a period get one,
 * the account is over its quota.
 */
const THROTTLED_SHARE = 0.05;
const THROTTLED_MIN = 5;
const LOOK_EVERY_MS = 100;
/** By what factor posts then slow down, at most how far, and how much of it is left after a second without. */
const SLOWER = 1.25;
const SLOWNESS_MAX = 16;
const RECOVERY_PER_SECOND = 0.9;

/** Slows down by factors and speeds up again little by little, as TCP does. */
function createSpeed(now: () => number) {
  let slowness = 1;
  let asOfMs = now();
  let answered = 0;
  let throttled = 0;
  let lookedAtMs = now();
  const current = () => {
    const seconds = Math.max(0, now() - asOfMs) / 1_000;
    slowness = Math.max(1, slowness * RECOVERY_PER_SECOND ** seconds);
    asOfMs = now();
    return slowness;
  };
  return {
    slowness: current,
    noteAnswer(isThrottled: boolean) {
      answered += 1;
      if (isThrottled) throttled += 1;
      if (now() - lookedAtMs < LOOK_EVERY_MS) return;
      if (throttled >= THROTTLED_MIN && throttled > THROTTLED_SHARE * answered) {
        slowness = Math.min(SLOWNESS_MAX, current() * SLOWER);
      }
      answered = 0;
      throttled = 0;
      lookedAtMs = now();
    },
  };
}

/** A token bucket: answers whether one more post fits within so many a second. */
function createBucket(perSecond: number, now: () => number): () => boolean {
  const burst = perSecond * UNASKED_BURST_SECONDS;
  let level = burst;
  let asOfMs = now();
  return () => {
    level = Math.min(burst, level + (Math.max(0, now() - asOfMs) / 1_000) * perSecond);
    asOfMs = now();
    if (level < 1) return false;
    level -= 1;
    return true;
  };
}
