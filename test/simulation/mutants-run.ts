import { MUTANTS } from './mutants.ts';
import { oldSources, plantedSources, removeSources } from './sources.ts';
import { simulateAll } from './threads.ts';

/** Shows that the simulation finds each planted bug: `node test/simulation/mutants-run.ts [NAME …]`. */
const SEEDS_MAX = 1_000;
const THREADS = 2;

const wanted = process.argv.slice(2);
const names = [...MUTANTS.keys()].filter((name) => wanted.length === 0 || wanted.includes(name));
let survivors = 0;
for (const mutant of names) {
  const { mode = 'usual', plant } = MUTANTS.get(mutant) ?? {};
  const current = plant && plantedSources(plant);
  const old = mode === 'upgrade' ? oldSources() : undefined;
  let found: string | undefined;
  const { seeds } = await simulateAll({
    seed: 1,
    seeds: SEEDS_MAX,
    threads: THREADS,
    mode,
    mutant,
    sources: { current, old },
    stopsAtFailure: true,
    onFailure: ({ seed, violation }) => {
      found ??= `seed ${seed}: ${violation}`;
    },
  });
  if (current) removeSources(current);
  if (found === undefined) survivors += 1;
  console.log(
    `${found === undefined ? 'SURVIVED' : 'found   '} ${mutant.padEnd(24)} ${seeds} seeds; ${found}`,
  );
}
console.log(
  `\n${names.length - survivors} of ${names.length} planted bugs are found within ${SEEDS_MAX} seeds`,
);
process.exitCode = survivors === 0 ? 0 : 1;
