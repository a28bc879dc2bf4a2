import type { Budget } from '../data/budget.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { Turns } from './turns.ts';

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
  /** What posts are answered: where many get 429, the next ones come more slowly. */
  noteAnswer(isThrottled: boolean): void;
}
export interface PaceDeps {
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
/** How far the schedule may reach before bulk posts take more of it: with what one lease adds, quick ones still pass. */
const BULK_BACKLOG_MS = 400;
/** Long enough that one lease does for several small deliveries. */
const QUICK_LATE_MS = 50;
/** Short enough that a worker that was held up does not make up for it all at once. */
const BULK_LATE_MS = 10;
/** Share of the budget that is used without asking: for a post or two, asking would cost more than they do. */
const UNASKED_SHARE = 0.01;
const UNASKED_BURST_SECONDS = 1;
/** Posts reach API Gateway a little more bunched than they left. */
const BUNCHING_SHARE = 0.027;
/** What is left to be asked for, so that the unasked and their burst still fit. */
const ASKED_SHARE = 1 - UNASKED_SHARE * (1 + UNASKED_BURST_SECONDS) - BUNCHING_SHARE;

export function createPace({ budget, requestsPerSecondMax, environmentsMax, ...deps }: PaceDeps): Pace {
  const speed = createSpeed(deps.now);
  const unasked = createBucket((requestsPerSecondMax * UNASKED_SHARE) / environmentsMax, deps.now);
  const intervalMs = () => (1_000 * speed.slowness()) / (requestsPerSecondMax * ASKED_SHARE);
  const turns = {
    quick: new Turns({
      ...deps,
      intervalMs,
      take: (spanMs) => budget.take(spanMs, Infinity),
      aheadMs: QUICK_AHEAD_MS,
      lateMs: QUICK_LATE_MS,
    }),
    bulk: new Turns({
      ...deps,
      intervalMs,
      take: (spanMs) => budget.take(spanMs, BULK_BACKLOG_MS),
      aheadMs: 0,
      lateMs: BULK_LATE_MS,
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
 * A 429 may also mean that one client reads too slowly, which no pace can cure. The account is over its quota where many
 * posts of some time get one.
 */
const THROTTLED_SHARE = 0.05;
const THROTTLED_MIN = 5;
const LOOK_EVERY_MS = 100;
/** What that does, and how soon it is made good again. */
const SLOWER = 1.25;
const SLOWNESS_MAX = 16;
const RECOVERY_PER_SECOND = 0.9;

/** Slows down by factors and speeds up again little by little, as every sender does that shares a line with others. */
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

/** Answers whether one more fits within so many a second. */
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
