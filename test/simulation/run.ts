import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults.ts';
import { MODES, type Mode } from './modes.ts';
import { MUTANTS } from './mutants.ts';
import { type Report, simulate } from './simulate.ts';
import { load, OLD_COMMIT, oldSources, plantedSources, removeSources, type Sources } from './sources.ts';
import { simulateAll, type Totals } from './threads.ts';

/**
 * Runs simulated worlds: `npm run simulate -- --mode swarm --seeds 10000 --seed 1`; the modes are those of `modes.ts`. A
 * seed that fails prints the one command that runs it again; alone, it prints what happened, and with `--trace`
 * everything.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    mode: { type: 'string' },
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

const planted = MUTANTS.get(mutant ?? '');
const mode = values.mode ?? planted?.mode ?? 'usual';
if (!isMode(mode))
  throw new Error(`expected --mode to be one of ${Object.keys(MODES).join(', ')}, got ${mode}`);

const FAILURES_SHOWN_MAX = 10;
let failures = 0;

function show({ seed, violation, tail }: Report): void {
  failures += 1;
  if (violation === undefined || failures > FAILURES_SHOWN_MAX) return;
  console.log(`\nseed ${seed}: ${violation}`);
  if (seeds === 1 && !values.trace) for (const line of tail) console.log(`  ${line.slice(0, 200)}`);
  const options = `--mode ${mode}${mutant ? ` --mutant ${mutant}` : ''}`;
  console.log(`  npm run simulate -- --seed ${seed} --seeds 1 ${options}`);
}

const old = mode === 'upgrade' ? oldSources() : undefined;
const current = planted?.plant && plantedSources(planted.plant);
if (mode === 'upgrade' && old === undefined) {
  console.log(`skipped: there is no history here that has ${OLD_COMMIT}`);
} else {
  await run({ current, old }).finally(() => current && removeSources(current));
}
process.exitCode = failures === 0 ? 0 : 1;

async function run(sources: Sources): Promise<void> {
  if (seeds === 1) return runOne(sources);
  const startMs = performance.now();
  const totals = await simulateAll({
    seed,
    seeds,
    threads,
    mode: mode as Mode,
    mutant,
    sources,
    onFailure: show,
  });
  summarise(totals, (performance.now() - startMs) / 1000);
}

async function runOne(sources: Sources): Promise<void> {
  const report = await simulate(seed, {
    mode: mode as Mode,
    mutant: planted,
    codes: await load(sources),
    ...(values.trace && { print: (line) => console.log(line) }),
  });
  if (report.violation !== undefined) show(report);
  else console.log(report);
}

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

function isMode(name: string): name is Mode {
  return Object.hasOwn(MODES, name);
}
