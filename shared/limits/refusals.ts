import type { RateName } from '../protocol/limits.ts';

/** A limit that somebody has reached. */
export type LimitName = RateName | 'connections' | 'connectionsPerUser';

/** Tells the operator what was refused. */
export interface Refusals {
  count(limit: LimitName, userId: string | undefined): void;
  /** Says what has not been said yet. */
  flush(): void;
  /** The allowance could not be asked for. */
  failed(error: unknown): void;
}

export interface RefusalsDeps {
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
}

interface Counted {
  readonly saidAtMs: number;
  /** Since then. */
  readonly times: number;
  /** Of the last one. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Between two lines about one limit. */
const QUIET_MS = 1_000;
const FAILED = 'allowance not asked';

/** With what matters, for a terminal shows no more of a line than this. */
const reached = ({ limit, userId = 'somebody without a name', times }: Record<string, unknown>): string =>
  `limit reached: ${limit}, times: ${times}, last: ${userId}`;

/**
 * A line for the first refusal of a limit, and then at most one a second with how many there were: a flood of frames is
 * none of lines. What was refused since the last line of an environment is said when it is next invoked.
 */
export function createRefusals({ warn, now }: RefusalsDeps): Refusals {
  const counted = new Map<string, Counted>();
  const say = (what: string): void => {
    const each = counted.get(what);
    if (!each || each.times === 0 || now() - each.saidAtMs < QUIET_MS) return;
    const fields = { ...each.fields, times: each.times };
    warn(what === FAILED ? FAILED : reached(fields), fields);
    counted.set(what, { ...each, saidAtMs: now(), times: 0 });
  };
  const note = (what: string, fields: Counted['fields']): void => {
    const { saidAtMs, times } = counted.get(what) ?? { saidAtMs: Number.NEGATIVE_INFINITY, times: 0 };
    counted.set(what, { saidAtMs, times: times + 1, fields });
    say(what);
  };
  return {
    count: (limit, userId) => note(limit, { limit, ...(userId !== undefined && { userId }) }),
    flush: () => [...counted.keys()].forEach(say),
    failed: (error) => note(FAILED, { error }),
  };
}
