import { describe, expect, it } from 'vitest';
import { FAULT_NAMES } from './faults.ts';
import { Environment } from './lambda.ts';
import { MODE_NAMES, type Mode } from './modes.ts';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulate.ts';
import { load, OLD_COMMIT, oldSources, withPlant } from './sources.ts';
import { simulateAll } from './threads.ts';
import { World } from './world.ts';

/** Of each mode. `npm run simulate -- --mode … --seeds 10000` runs more. */
const SEED_COUNTS = { usual: 80, swarm: 40, liveness: 40, rights: 40, upgrade: 40 } satisfies Record<
  Mode,
  number
>;
const THREADS = 2;
/** Of each mode, seeds that are run twice. */
const AGAIN_COUNT = 4;
/** On a machine that has other things to do, too. */
const TIMEOUT_MS = 120_000;

const old = oldSources();
if (old === undefined)
  console.log(`no upgrade is simulated: there is no history here that has ${OLD_COMMIT}`);

const modes = MODE_NAMES.filter((mode) => mode !== 'upgrade' || old !== undefined);

describe('a simulated world', () => {
  const struck = new Set<string>();

  it.each(modes)(
    'keeps every promise (%s)',
    async (mode) => {
      const seeds = SEED_COUNTS[mode];
      const failures: string[] = [];
      const totals = await simulateAll({
        seed: 1,
        seeds,
        threads: THREADS,
        mode,
        sources: mode === 'upgrade' ? { old } : {},
        onFailure: ({ seed, violation }) => {
          failures.push(`${violation}: npm run simulate -- --seed ${seed} --seeds 1 --mode ${mode}`);
        },
      });
      expect(failures).toEqual([]);
      expect(totals.seeds).toBe(seeds);
      // It has not been idle.
      expect(totals.balance.delivered).toBeGreaterThan(20 * seeds);
      for (const [fault, count] of Object.entries(totals.faults)) if (count > 0) struck.add(fault);
    },
    TIMEOUT_MS,
  );

  it('has had everything go wrong', () => {
    expect(struck).toEqual(new Set(FAULT_NAMES));
  });

  it.each(modes)(
    'does the same again with the same seed, and something else with another (%s)',
    async (mode) => {
      const codes = await load(mode === 'upgrade' ? { old } : {});
      const hashes = async () => {
        const reports = [];
        for (let seed = 1; seed <= AGAIN_COUNT; seed++) reports.push(await simulate(seed, { mode, codes }));
        return reports.map(({ hash, events }) => `${hash} ${events}`);
      };
      const first = await hashes();
      expect(await hashes()).toEqual(first);
      expect(new Set(first).size).toBe(first.length);
    },
  );
});

it('can still have every bug planted', () => {
  for (const { plant } of MUTANTS.values()) if (plant) expect(withPlant(plant)).toContain(plant.replace);
});

describe('a simulated environment', () => {
  const settled = async (promise: Promise<unknown>) => {
    let isSettled = false;
    const note = () => {
      isSettled = true;
    };
    promise.then(note, note);
    return () => isSettled;
  };

  it('does nothing and hears of nothing once it has been killed', async () => {
    const effects: string[] = [];
    const world = new World(1);
    const environment = new Environment(world);
    const before = await settled(environment.call('before', () => effects.push('before')));
    await world.scheduler.runUntil(world.scheduler.nowMs + 60_000);
    expect([before(), effects]).toEqual([true, ['before']]);
    environment.arm(1, () => {});
    // The first is one step; the second is one too many.
    const underway = await settled(environment.call('underway', () => effects.push('underway')));
    const never = await settled(environment.call('never', () => effects.push('never')));
    const late = await settled(environment.wait(1));
    await world.scheduler.runUntil(world.scheduler.nowMs + 60_000);
    expect(environment.isAlive).toBe(false);
    expect([underway(), never(), late()]).toEqual([false, false, false]);
    expect(effects).not.toContain('never');
    // Whoever still waits when the world is over is set free.
    environment.release();
    await world.scheduler.runUntil(world.scheduler.nowMs + 1);
    expect([underway(), never(), late()]).toEqual([true, true, true]);
    expect(effects).not.toContain('never');
  });

  it('leaves to chance whether what is underway happens when it is killed', async () => {
    const happened = new Set<boolean>();
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World(seed);
      const environment = new Environment(world);
      let isDone = false;
      const call = environment.call('underway', () => {
        isDone = true;
      });
      call.catch(() => {});
      environment.kill();
      await world.scheduler.runUntil(world.scheduler.nowMs + 60_000);
      happened.add(isDone);
      environment.release();
    }
    expect(happened).toEqual(new Set([true, false]));
  });
});
