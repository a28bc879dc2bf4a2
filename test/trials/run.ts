import { parseArgs } from 'node:util';
import { Faults } from '../support/faults.ts';
import { startSystem } from '../support/system.ts';
import { OUTAGES, outage } from './outages.ts';
import { cuts, drops, order, ownOrder, rewinds, rollovers, trimmed } from './trials.ts';

/**
 * `npm run trials [-- [--latency aws] NAME …]`: each trial at its full size, on a system of its own. Exits with 1 if one
 * fails.
 */

const APP = 'test/apps/namespaces.ts';
const HEARTBEAT_MS = 5_000;

const TRIALS: Record<string, () => Promise<object>> = {
  order: () =>
    on({ app: APP }, (system) => order(system, { publishers: 10, messages: 10_000, subscribers: 10 })),
  ownOrder: () =>
    on({ app: APP, faults: true }, (system) =>
      ownOrder(system, new Faults(system.ready), { publishers: 10, messages: 1_000, busMs: 300 }),
    ),
  cuts: () =>
    on({ app: APP }, (system) =>
      cuts(system, { clients: 1_000, topics: 10, perSecond: 2, awaySecondsMax: 60 }),
    ),
  trimmed: () => on({ app: APP }, (system) => trimmed(system, { clients: 1_000, historyMessages: 5 })),
  drops: () =>
    on({ app: APP, faults: true }, (system) =>
      drops(system, new Faults(system.ready), {
        clients: 100,
        messages: 200,
        rate: 0.01,
        heartbeatMs: HEARTBEAT_MS,
      }),
    ),
  rollovers: () =>
    on({ app: 'test/apps/short-lived.ts' }, (system) =>
      rollovers(system, { clients: 10, rollovers: 100, perSecond: 20 }),
    ),
  ...Object.fromEntries(
    Object.entries(OUTAGES).map(([name, fault]) => [
      name,
      () =>
        on({ app: APP, faults: true }, (system) =>
          outage(system, new Faults(system.ready), fault, {
            perSecond: 10,
            subscribers: 5,
            outageMs: 20_000,
          }),
        ),
    ]),
  ),
  rewinds: () =>
    on({ app: APP }, (system) => rewinds(system, { joins: 1_000, clients: 20, perSecond: 30, rewind: 10 })),
};

/** What has to be nothing. */
const FAILURES = [
  'lost',
  'duplicated',
  'outOfOrder',
  'otherOrders',
  'inversions',
  'misplaced',
  'partial',
  'untold',
  'statesShown',
  'short',
  'late',
  'volatileLost',
  'deadLetters',
];

async function on(
  options: Parameters<typeof startSystem>[0],
  run: (system: Awaited<ReturnType<typeof startSystem>>) => Promise<object>,
): Promise<object> {
  const system = await startSystem({
    unthrottled: true,
    ...(latency !== undefined && { latency }),
    ...options,
  });
  try {
    return await run(system);
  } finally {
    await system.stop();
  }
}

const {
  values: { latency },
  positionals: names,
} = parseArgs({ allowPositionals: true, options: { latency: { type: 'string' } } });
let failed = 0;
for (const [name, trial] of Object.entries(TRIALS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const startedAtMs = Date.now();
  const result = (await trial()) as Record<string, number>;
  const wrong = FAILURES.filter((failure) => Number(result[failure] ?? 0) > 0);
  failed += wrong.length;
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(0);
  console.log(`${wrong.length > 0 ? 'FAILED' : 'passed'} ${name} (${seconds} s) ${JSON.stringify(result)}`);
}
process.exitCode = failed > 0 ? 1 : 0;
