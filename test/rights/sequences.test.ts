import { describe, expect, it } from 'vitest';
import * as code from '../simulation/code.ts';
import { withPlant } from '../simulation/sources.ts';
import { MUTANTS, type MutantName, withMutant } from './mutants.ts';
import { runSequence } from './sequence.ts';

/** `node test/rights/run.ts` runs 100,000, or as many as it is told to. */
const COUNT = 500;
/** Within so many each planted bug is found. */
const MUTANT_COUNT = 1_000;
const TIMEOUT_MS = 120_000;
/** Each copies and loads all sources; `node test/rights/run.ts --mutant NAME` finds the others. */
const FOUND_HERE: readonly MutantName[] = ['wildcardWidened', 'renewedUnsettled', 'revokedTaken'];

/** The first that fails, in words. */
async function firstFailure(present: typeof code, count: number): Promise<string | undefined> {
  present.silence();
  for (let seed = 1; seed <= count; seed++) {
    const { violation } = await runSequence(seed, present);
    if (violation !== undefined) return `${violation}: node test/rights/run.ts --count 1 --seed ${seed}`;
  }
  return undefined;
}

describe('a connection', () => {
  it(
    'never gets what it could not subscribe to at that time, whatever it and others do',
    async () => {
      expect(await firstFailure(code, COUNT)).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it.each(FOUND_HERE)(
    'is found to get it, with a bug planted (%s)',
    async (name) => {
      const failure = await withMutant(name, (planted) => firstFailure(planted, MUTANT_COUNT));
      expect(failure).toBeDefined();
    },
    TIMEOUT_MS,
  );

  it('can still have every bug planted', () => {
    for (const plant of Object.values(MUTANTS)) expect(withPlant(plant)).toContain(plant.replace);
  });

  it('does the same again with the same seed', async () => {
    code.silence();
    const [once, again] = [await runSequence(7, code), await runSequence(7, code)];
    expect(again).toEqual(once);
    expect(once.steps.length).toBeGreaterThan(10);
  });
});
