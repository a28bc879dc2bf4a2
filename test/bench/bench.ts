/**
 * What a benchmark is: a file `<name>.bench.ts` next to this one that exports `bench`. Peers are measured in turn
 * within one run, because only their ratios hold on another machine.
 */
export interface Bench {
  readonly title: string;
  /** Prints nothing but progress; the runner prints what it answers with. */
  run(): Promise<BenchResult>;
}
export interface BenchResult {
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
}
export type Row = Readonly<Record<string, string | number>>;
export interface Target {
  /** With its unit: `posts/s over TLS, sockets against the SDK (ratio)`. */
  readonly name: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export const holds = ({ value, atLeast = -Infinity, atMost = Infinity }: Target): boolean =>
  value >= atLeast && value <= atMost;

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Nearest rank; NaN of nothing. */
export const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN;

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
