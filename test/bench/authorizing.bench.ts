import { join } from 'node:path';
import type { Costs, Kind } from './authorizing/authorize.ts';
import { type Bench, median, round } from './bench.ts';
import { ask, startChild } from './child.ts';

const ROUNDS = 5;

/** What the authorizer adds to a handshake, once it has the keys: all of its stack, with no call to anywhere. */
export const bench: Bench = {
  title: 'What a warm authorization takes of the processor',
  async run() {
    const rounds: Costs[] = [];
    for (let number = 0; number < ROUNDS; number++) {
      const child = startChild(join(import.meta.dirname, 'authorizing/authorize.ts'));
      rounds.push(await ask<Costs>(child, 'measure'));
    }
    const rows = Object.keys(rounds[0] ?? {}).map((kind) => ({
      token: kind,
      cpuMs: round(median(rounds.map((costs) => costs[kind as Kind])), 3),
    }));
    return {
      rows,
      targets: rows.map(({ token, cpuMs }) => ({
        name: `processor time of a warm authorization, ${token} (ms)`,
        value: cpuMs,
        atMost: 5,
      })),
    };
  },
};
