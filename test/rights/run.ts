import { parseArgs } from 'node:util';
import type { Code } from '../simulation/code.ts';
import * as present from '../simulation/code.ts';
import { MUTANTS, type MutantName, withMutant } from './mutants.ts';
import { runSequence } from './sequence.ts';

/**
 * Runs sequences of what clients, back ends and time do, and looks whether anybody gets what is not theirs:
 * `node test/rights/run.ts --count 100000 --seed 1`. One that fails prints its seed; with `--count 1` its steps.
 */
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
});
const [count, first] = [Number(values.count), Number(values.seed)];
const { mutant } = values;
if (mutant !== undefined && !Object.hasOwn(MUTANTS, mutant))
  throw new Error(`expected --mutant to be one of ${Object.keys(MUTANTS).join(', ')}, got ${mutant}`);

const FAILURES_MAX = 10;

async function runAll(code: Code): Promise<number> {
  code.silence();
  const totals: Record<string, number> = {};
  let failures = 0;
  const startMs = performance.now();
  for (let seed = first; seed < first + count && failures < FAILURES_MAX; seed++) {
    const { violation, steps, counts } = await runSequence(seed, code);
    for (const [name, n] of Object.entries({ ...counts, sequences: 1, steps: steps.length }))
      totals[name] = (totals[name] ?? 0) + n;
    if (count === 1) console.log(steps.join('\n'));
    if (violation === undefined) continue;
    failures += 1;
    const options = `--count 1 --seed ${seed}${mutant ? ` --mutant ${mutant}` : ''}`;
    console.log(`seed ${seed}: ${violation}\n  node test/rights/run.ts ${options}`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${seconds.toFixed(0)} s, ${failures} failed: ${JSON.stringify(totals)}`);
  return failures;
}

const failures = await (mutant ? withMutant(mutant as MutantName, runAll) : runAll(present));
process.exitCode = failures === 0 ? 0 : 1;
