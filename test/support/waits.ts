import type { RetryClock } from '../../shared/retry.ts';

/** A clock that only waiting moves, and what was waited. `random` is what chance says: the middle, unless given. */
export function waitingClock(random: () => number = () => 0.5): RetryClock & { readonly waits: number[] } {
  const waits: number[] = [];
  let nowMs = 1_000_000;
  const wait = async (ms: number): Promise<void> => {
    waits.push(ms);
    nowMs += ms;
  };
  return { now: () => nowMs, wait, random, waits };
}
