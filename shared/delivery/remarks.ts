import type { JobOutcome } from './post-job.ts';

/**
 * What an operator wants to see of jobs, and of messages that were too old a version to be in any: undefined when every
 * connection got everything.
 */
export function remarksOn(
  outcomes: readonly JobOutcome[],
  stale = 0,
): Readonly<Record<string, number>> | undefined {
  const sum = (count: (outcome: JobOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const missed = {
    gone: sum(({ gone }) => gone.length),
    failed: sum(({ failed }) => failed.length),
    throttled: sum(({ throttled }) => throttled.length),
    slow: sum(({ slow }) => slow.length),
    unreached: sum(({ unreached }) => unreached.length),
    expired: sum(({ expired }) => expired),
    ...(stale > 0 && { stale }),
  };
  if (Object.values(missed).every((count) => count === 0)) return undefined;
  return { delivered: sum(({ delivered }) => delivered), ...missed };
}
