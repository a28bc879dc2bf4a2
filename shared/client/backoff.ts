interface BackoffOptions {
  readonly random: () => number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
}

/**
 * How long to wait after so many failures: anything from the least wait up to a bound that doubles each time, so that
 * the clients of a system that restarts do not all come back at once.
 */
export const backoffMs = (failures: number, { random, backoffMsMin, backoffMsMax }: BackoffOptions): number =>
  backoffMsMin + random() * (Math.min(backoffMsMax, backoffMsMin * 2 ** (failures + 1)) - backoffMsMin);
