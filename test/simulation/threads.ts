import { Worker } from 'node:worker_threads';
import type { Balance } from './deliveries.ts';
import { FAULT_NAMES, type Fault } from './faults.ts';
import type { Mode } from './modes.ts';
import type { Report } from './simulate.ts';
import type { Sources } from './sources.ts';

/** Worlds leave little behind; what they leave is collected sooner with less room. */
const HEAP_MB_MAX = 400;

/** What many seeds came to. */
export interface Totals {
  seeds: number;
  calm: number;
  published: number;
  received: number;
  events: number;
  losses: number;
  virtualMs: number;
  readonly balance: Balance;
  readonly faults: Partial<Record<Fault, number>>;
}

const noTotals = (): Totals => ({
  seeds: 0,
  calm: 0,
  published: 0,
  received: 0,
  events: 0,
  losses: 0,
  virtualMs: 0,
  balance: { matched: 0, delivered: 0, gone: 0, deadLettered: 0, lapsed: 0, unsent: 0 },
  faults: {},
});

function addTo(totals: Totals, report: Report): void {
  totals.seeds += 1;
  totals.calm += report.isCalm ? 1 : 0;
  for (const name of ['published', 'received', 'events', 'losses', 'virtualMs'] as const) {
    totals[name] += report[name];
  }
  for (const name of ['matched', 'delivered', 'gone', 'deadLettered', 'lapsed', 'unsent'] as const) {
    totals.balance[name] += report.balance[name];
  }
  for (const name of FAULT_NAMES)
    totals.faults[name] = (totals.faults[name] ?? 0) + (report.faults[name] ?? 0);
}

/** What every thread of some work is told. */
export interface ThreadData {
  readonly mode: Mode;
  readonly mutant?: string | undefined;
  readonly sources: Sources;
}
interface Work extends ThreadData {
  readonly seed: number;
  readonly seeds: number;
  readonly threads: number;
  readonly onFailure: (report: Report) => void;
  /** No more than one is wanted. */
  readonly stopsAtFailure?: boolean;
}

/** Runs seeds side by side, each thread taking the next one that nobody has. */
export async function simulateAll({
  seed,
  seeds,
  threads,
  onFailure,
  stopsAtFailure,
  ...workerData
}: Work): Promise<Totals> {
  const totals = noTotals();
  let next = seed;
  const work = async (): Promise<void> => {
    const thread = new Worker(new URL('thread.ts', import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        if (next >= seed + seeds) return resolve();
        thread.postMessage(next++);
      };
      thread.on('error', reject);
      thread.on('message', (report: Report | 'ready') => {
        if (report !== 'ready') {
          addTo(totals, report);
          if (report.violation !== undefined) onFailure(report);
          if (report.violation !== undefined && stopsAtFailure) next = seed + seeds;
        }
        go();
      });
    });
    await thread.terminate();
  };
  await Promise.all(Array.from({ length: Math.min(threads, seeds) }, work));
  return totals;
}
