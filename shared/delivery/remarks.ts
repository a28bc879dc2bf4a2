import type { JobOutcome } from './post-job.ts';

/** What an operator wants to see of jobs: undefined when every connection got everything. */
export function remarksOn(outcomes: readonly JobOutcome[]): Readonly<Record<string, number>> | undefined {
  const sum = (count: (outcome: JobOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const missed = {
    gone: sum(({ gone }) => gone.length),
    failed: sum(({ failed }) => failed.length),
    throttled: sum(({ throttled }) => throttled.length),
    slow: sum(({ slow }) => slow.length),
    unreached: sum(({ unreached }) => unreached.length),
    expired: sum(({ expired }) => expired),
  };
  if (Object.values(missed).every((count) => count === 0)) return undefined;
  return { delivered: sum(({ delivered }) => delivered), ...missed };
}
