import { once } from 'node:events';
import { join } from 'node:path';
import { type Bench, median, round } from './bench.ts';
import type { Task, Way } from './calls/call.ts';
import type { Table } from './calls/table.ts';
import { ask, startChild } from './child.ts';

const ROUNDS = 5;
const SHARE_MAX = 0.1;
const DIRECTORY = join(import.meta.dirname, 'calls');
const WAYS: readonly Way[] = ['the SDK as it comes', 'lean'];

const callIn = (task: Task): Promise<number> => ask(startChild(join(DIRECTORY, 'call.ts')), task);

/** Each way in a process of its own, over TLS, against a table that answers at once. */
export const bench: Bench = {
  title: 'A call to DynamoDB',
  async run() {
    using running = new DisposableStack();
    const table = startChild(join(DIRECTORY, 'table.ts'));
    running.defer(() => void table.kill());
    const [where] = (await once(table, 'message')) as [Table];
    const runs = new Map(WAYS.map((way): [Way, number[]] => [way, []]));
    for (let number = 0; number < ROUNDS; number++) {
      for (const [way, cpuMicroseconds] of runs) cpuMicroseconds.push(await callIn({ way, ...where }));
    }
    const [asItComes = Number.NaN, lean = Number.NaN] = WAYS.map((way) => median(runs.get(way) ?? []));
    return {
      rows: WAYS.map((way) => ({ way, cpuMicroseconds: round(median(runs.get(way) ?? [])) })),
      targets: [
        {
          name: 'processor time of a call (lean / the SDK as it comes)',
          value: round(lean / asItComes, 2),
          atMost: SHARE_MAX,
        },
      ],
    };
  },
};
