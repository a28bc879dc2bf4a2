import { parentPort, workerData } from 'node:worker_threads';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulate.ts';
import { load } from './sources.ts';
import type { ThreadData } from './threads.ts';

/** Runs the seeds that it is told to. Nothing in here has another clock or other dice than its world's. */
const { mode, mutant: name, sources }: ThreadData = workerData;
const mutant = MUTANTS.get(name ?? '');
const codes = await load(sources);
const forbidden = (what: string) => () => {
  throw new Error(`expected nobody in a simulated world to use ${what}`);
};
Date.now = forbidden('Date.now');
Math.random = forbidden('Math.random');
globalThis.setTimeout = forbidden('setTimeout') as unknown as typeof setTimeout;
globalThis.setInterval = forbidden('setInterval') as unknown as typeof setInterval;

// Nobody reads them here: the seed is run again, alone, to see where something came from.
Error.stackTraceLimit = 0;

parentPort?.on('message', async (seed: number) => {
  parentPort?.postMessage(await simulate(seed, { mode, mutant, codes }));
});
parentPort?.postMessage('ready');
