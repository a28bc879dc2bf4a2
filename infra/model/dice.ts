import type { Latency } from './parameters.ts';

/** The 99th percentile of the normal distribution. */
const Z99 = 2.326;

export type Dice = (latency: Latency) => number;

/** Draws latencies: log-normal, so that most are near the median and a few are much longer. */
export const createDice =
  (random: () => number): Dice =>
  ({ p50, p99 }) => {
    if (p50 === p99) return p50;
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return p50 * Math.exp((Math.log(p99 / p50) / Z99) * normal);
  };
