import { Memory } from './memory.ts';

/**
 * How long an environment waits for the answers to its posts. An ordinary post is given a short grace, so that a
 * connection that hangs holds up nothing else; what exceeds it is served apart, where a post has all of
 * `postTimeoutMs`.
 */
export interface Patience {
  /** Milliseconds that a post of a slow job may take: the setting `postTimeoutMs`. */
  readonly postTimeoutMs: number;
  /** Milliseconds that any other post to the connection may take. */
  graceMs(connectionId: string): number;
  /** Whether the connection has exceeded the grace lately: a post to it would only wait again. */
  hangs(connectionId: string): boolean;
  /** Notes how long the endpoint took to answer an ordinary post. */
  noteAnswer(tookMs: number): void;
  /** Notes a connection whose post exceeded the grace. */
  noteExcess(connectionId: string): void;
  /** Why a connection has left a post without an answer for all of `postTimeoutMs`, if it has just now. */
  whyUnanswered(connectionId: string): string | undefined;
  noteUnanswered(connectionId: string, reason: string): void;
}

interface PatienceOptions {
  readonly postTimeoutMs: number;
  readonly now: () => number;
}

/** API Gateway answers in 5 to 30 ms, and sometimes in 300: what takes longer than this does not answer soon. */
const GRACE_MIN_MS = 500;
/**
 * Of `postTimeoutMs`, if that is more: where posts are given more time, answers are expected later. The construct allows
 * 5 s, of which it is the same; tests on busy machines give their functions more.
 */
const GRACE_MIN_SHARE = 0.1;
/** For a connection that has exceeded the grace lately: should it hang, that is soon known again. */
const GRACE_AGAIN_MIN_MS = 100;
/**
 * A connection that exceeds the grace once may have lost a packet: it is served apart for as long as it takes to send
 * that again. One that does so twice hangs, and is tried again once a minute.
 */
const SUSPECTED_MS = 2_000;
const HANGING_MS = 60_000;
/** For so long it counts as the second time. */
const REMEMBERED_MS = 2 * HANGING_MS;
/** Shorter than the pauses between the attempts of a job, so that each of them can see the connection recover. */
const UNANSWERED_MS = 4_000;
/** More than one environment serves in that time; each takes some hundred bytes. */
const CONNECTIONS_MAX = 10_000;

interface Excess {
  readonly times: number;
  readonly untilMs: number;
}

export function createPatience({ postTimeoutMs, now }: PatienceOptions): Patience {
  const excesses = new Memory<Excess>(now, CONNECTIONS_MAX);
  const unanswered = new Memory<string>(now, CONNECTIONS_MAX);
  const grace = createGrace(now, (connectionId) => excesses.forget(connectionId));
  const graceMinMs = Math.max(GRACE_MIN_MS, GRACE_MIN_SHARE * postTimeoutMs);
  return {
    postTimeoutMs,
    graceMs(connectionId) {
      const minMs = excesses.recall(connectionId) === undefined ? graceMinMs : GRACE_AGAIN_MIN_MS;
      return Math.min(grace.ms(minMs), postTimeoutMs);
    },
    hangs(connectionId) {
      const excess = excesses.recall(connectionId);
      return excess !== undefined && now() < excess.untilMs;
    },
    noteAnswer: grace.noteAnswer,
    noteExcess(connectionId) {
      const times = (excesses.recall(connectionId)?.times ?? 0) + 1;
      const untilMs = now() + (times === 1 ? SUSPECTED_MS : HANGING_MS);
      excesses.keep(connectionId, { times, untilMs }, REMEMBERED_MS);
      grace.noteExcess(connectionId);
    },
    whyUnanswered: (connectionId) => unanswered.recall(connectionId),
    noteUnanswered: (connectionId, reason) => unanswered.keep(connectionId, reason, UNANSWERED_MS),
  };
}

/** As TCP estimates when a packet is lost (RFC 6298, section 2). */
const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
const DEVIATIONS = 4;
/** Where so many connections, and such a share of a period's posts, exceed the grace, the endpoint itself is slow. */
const SLOW_MIN = 10;
const SLOW_SHARE = 0.2;
const PERIOD_MS = 1_000;
/** Then the least grace is beyond any `postTimeoutMs`. */
const DOUBLINGS_MAX = 4;

/**
 * Learns the grace from the endpoint's answers, and doubles it while the endpoint as a whole is slow; one connection
 * cannot do that. `forgive` is called for each that exceeded a grace which was too short.
 */
function createGrace(now: () => number, forgive: (connectionId: string) => void) {
  let meanMs: number | undefined;
  let deviationMs = 0;
  let doublings = 0;
  let answered = 0;
  let exceeded = new Set<string>();
  let begunAtMs = now();

  const learn = (tookMs: number): void => {
    deviationMs =
      meanMs === undefined
        ? tookMs / 2
        : deviationMs + DEVIATION_GAIN * (Math.abs(meanMs - tookMs) - deviationMs);
    meanMs = meanMs === undefined ? tookMs : meanMs + MEAN_GAIN * (tookMs - meanMs);
  };
  const endPeriod = (): void => {
    if (now() - begunAtMs < PERIOD_MS) return;
    const isSlow = exceeded.size >= SLOW_MIN && exceeded.size > SLOW_SHARE * (answered + exceeded.size);
    if (isSlow) for (const connectionId of exceeded) forgive(connectionId);
    doublings = isSlow ? Math.min(DOUBLINGS_MAX, doublings + 1) : Math.max(0, doublings - 1);
    answered = 0;
    exceeded = new Set();
    begunAtMs = now();
  };
  return {
    ms(minMs: number): number {
      const learnedMs = (meanMs ?? 0) + DEVIATIONS * deviationMs;
      return Math.ceil(Math.max(minMs, learnedMs) * 2 ** doublings);
    },
    noteAnswer(tookMs: number): void {
      endPeriod();
      answered += 1;
      learn(tookMs);
    },
    noteExcess(connectionId: string): void {
      endPeriod();
      exceeded.add(connectionId);
    },
  };
}
