import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults.ts';
import { MUTANTS } from './mutants.ts';
import { type Report, simulate } from './simulate.ts';
import { simulateAll, type Totals } from './threads.ts';

/**
 * Runs simulated worlds: `npm run simulate -- --seeds 10000 --seed 1`. A seed that fails prints the one command that
 * runs it again; alone, it prints what happened, and with `--trace` everything.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const [seeds, seed, threads] = [values.seeds, values.seed, values.threads].map(Number) as [
  number,
  number,
  number,
];
const { mutant } = values;
if (![seeds, seed, threads].every((value) => Number.isInteger(value) && value >= 0) || threads < 1) {
  throw new Error('expected --seeds, --seed and --threads to be whole numbers');
}
if (mutant !== undefined && !MUTANTS.has(mutant)) {
  throw new Error(`expected --mutant to be one of ${[...MUTANTS.keys()].join(', ')}, got ${mutant}`);
}

const FAILURES_SHOWN_MAX = 10;
let failures = 0;

function show({ seed, violation, tail }: Report): void {
  failures += 1;
  if (violation === undefined || failures > FAILURES_SHOWN_MAX) return;
  console.log(`\nseed ${seed}: ${violation}`);
  if (seeds === 1 && !values.trace) for (const line of tail) console.log(`  ${line.slice(0, 200)}`);
  console.log(`  npm run simulate -- --seed ${seed} --seeds 1${mutant ? ` --mutant ${mutant}` : ''}`);
}

if (seeds === 1) {
  const report = await simulate(seed, {
    mutant: MUTANTS.get(mutant ?? ''),
    ...(values.trace && { print: (line) => console.log(line) }),
  });
  if (report.violation !== undefined) show(report);
  else console.log(report);
} else {
  const startMs = performance.now();
  const totals = await simulateAll({ seed, seeds, threads, mutant, onFailure: show });
  summarise(totals, (performance.now() - startMs) / 1000);
}
process.exitCode = failures === 0 ? 0 : 1;

function summarise(totals: Totals, seconds: number): void {
  const { faults, balance, published, received, events, losses, virtualMs } = totals;
  const { matched, delivered, gone, deadLettered, lapsed, unsent } = balance;
  console.log(`
${totals.seeds} seeds in ${seconds.toFixed(1)} s, ${(totals.seeds / seconds).toFixed(0)} a second: ${failures} failed
${(virtualMs / 3_600_000).toFixed(0)} h simulated, ${events} events
${published} messages published, ${received} received, ${losses} losses reported
${matched} deliveries owed: ${delivered} delivered, ${gone} gone, ${deadLettered} dead letters, ${lapsed} lapsed, ${unsent} never on the bus
${totals.calm} seeds without harmful faults; in the others:`);
  for (const name of FAULT_NAMES)
    console.log(`  ${name.padEnd(24)} ${String(faults[name] ?? 0).padStart(8)}`);
}
