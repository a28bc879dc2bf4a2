import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { type Bench, type BenchResult, holds } from './bench.ts';

/** `npm run bench` runs all benchmarks, `npm run bench -- posting resolving` those two. */
const SUFFIX = '.bench.ts';
const REPORT = 'test-results/bench.json';

const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  throw new Error(`expected names of benchmarks (${known.join(', ')}), got ${unknown.join(', ')}`);
}

const results: Record<string, BenchResult> = {};
const broken: string[] = [];
for (const name of asked.length > 0 ? asked : known) {
  const { bench } = (await import(`./${name}${SUFFIX}`)) as { readonly bench: Bench };
  console.log(`\n${bench.title} (${name})`);
  try {
    const result = await bench.run();
    results[name] = result;
    console.table(result.rows);
  } catch (error) {
    broken.push(name); // the others go on: a run of them all takes a quarter of an hour
    console.error(error);
  }
}

const targets = Object.values(results).flatMap((result) => result.targets);
console.log('\nTargets');
console.table(targets.map((target) => ({ ...target, holds: holds(target) ? 'yes' : 'NO' })));
mkdirSync('test-results', { recursive: true });
const machine = { node: process.version, processor: cpus()[0]?.model, cores: availableParallelism() };
writeFileSync(REPORT, JSON.stringify({ date: new Date().toISOString(), machine, results }, undefined, 2));
console.log(`\nwritten to ${REPORT}`);
if (broken.length > 0) console.error(`without a result: ${broken.join(', ')}`);
process.exitCode = broken.length === 0 && targets.every(holds) ? 0 : 1;
