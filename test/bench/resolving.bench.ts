import { once } from 'node:events';
import { join } from 'node:path';
import { type Bench, median, round } from './bench.ts';
import { ask, startChild } from './child.ts';
import { install } from './install.ts';
import type { Way } from './resolving/resolve.ts';

const ROUNDS = 3;
const CPU_MS_MAX = 12;
const DIRECTORY = join(import.meta.dirname, 'resolving');
const WAYS: readonly Way[] = ['DocumentClient, whole items', 'DocumentClient, ids only', 'Fanwire'];

const resolveIn = (way: Way, port: number): Promise<number> =>
  ask(
    startChild(join(DIRECTORY, 'resolve.ts'), {
      PATH: process.env.PATH,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    }),
    way,
  );

/** Each way in a process of its own, against a table that answers at once. */
export const bench: Bench = {
  title: 'Resolving 10,000 subscribers',
  async run() {
    await install(join(import.meta.dirname, 'usual'));
    using running = new DisposableStack();
    const table = startChild(join(DIRECTORY, 'table.ts'));
    running.defer(() => void table.kill());
    const [port] = (await once(table, 'message')) as [number];
    const runs = new Map(WAYS.map((way): [Way, number[]] => [way, []]));
    for (let number = 0; number < ROUNDS; number++) {
      for (const [way, cpuMs] of runs) cpuMs.push(await resolveIn(way, port));
    }
    const rows = [...runs].map(([way, cpuMs]) => ({ way, cpuMs: round(median(cpuMs)) }));
    return {
      rows,
      targets: [
        {
          name: 'processor time for 10000 subscribers (ms)',
          value: rows.find(({ way }) => way === 'Fanwire')?.cpuMs ?? Number.NaN,
          atMost: CPU_MS_MAX,
        },
      ],
    };
  },
};
