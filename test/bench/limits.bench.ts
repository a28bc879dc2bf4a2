import { Client } from '../support/client.ts';
import { startSystem } from '../support/system.ts';
import { type Bench, percentile, type Row, round } from './bench.ts';

const RUNS = 5;
const RUN_MS = 8_000;
const WARM_UP_MS = 3_000;
/** Of `test/apps/limited.ts`. */
const LIMIT_PER_SECOND = 5;
const FLOOD_PER_SECOND = 100 * LIMIT_PER_SECOND;
/** One after the other: on AWS a burst of them has environments of its own, here it has the others' cores. */
const FLOOD_EVERY_MS = 1_000 / FLOOD_PER_SECOND;
const OTHERS = 20;
/** Below their own limit. */
const OTHERS_EVERY_MS = 400;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Clients that keep to their limits: how long each of their commands takes. */
async function timesOf(others: readonly Client[]): Promise<number[]> {
  const timesMs: number[] = [];
  const endMs = performance.now() + RUN_MS;
  await Promise.all(
    others.map(async (client, index) => {
      await wait((index * OTHERS_EVERY_MS) / OTHERS);
      while (performance.now() < endMs) {
        const sentMs = performance.now();
        const { type } = await client.ask({ action: 'ping' });
        if (type !== 'ack') throw new Error('expected the others to be served, got a refusal');
        timesMs.push(performance.now() - sentMs);
        await wait(OTHERS_EVERY_MS);
      }
    }),
  );
  return timesMs;
}

/** Sends what it may not, and waits for no answer. Answers with how much of it was refused. */
async function flood(client: Client, during: Promise<unknown>): Promise<number> {
  const before = client.frames.length;
  let isOver = false;
  const over = during.finally(() => {
    isOver = true;
  });
  const startMs = performance.now();
  for (let sent = 0; !isOver; sent++) {
    client.send({ action: 'ping' });
    await wait(Math.max(0, startMs + (sent + 1) * FLOOD_EVERY_MS - performance.now()));
  }
  await over;
  return client.frames.slice(before).filter(({ code }) => code === 'rate_limited').length;
}

/** One client at a hundred times its limit, seen from the others. */
export const bench: Bench = {
  title: `A client that sends ${FLOOD_PER_SECOND} commands a second, of ${LIMIT_PER_SECOND} that it may`,
  async run() {
    await using running = new AsyncDisposableStack();
    const system = await startSystem({ app: 'test/apps/limited.ts', unthrottled: true });
    running.defer(() => system.stop());
    const open = () => Client.open(system.ready.websocketUrl);
    const others = await Promise.all(Array.from({ length: OTHERS }, open));
    const flooding = await open();
    const warm = timesOf(others);
    await flood(flooding, warm);
    await wait(WARM_UP_MS);
    const rows: Row[] = [];
    /** Of all runs together: of one alone the p99 is the fourth slowest. */
    const all = { nothing: [] as number[], 'a flood': [] as number[] };
    for (let run = 0; run < RUNS; run++) {
      for (const isFlooded of [false, true]) {
        const measured = timesOf(others);
        const refused = isFlooded ? await flood(flooding, measured) : 0;
        const timesMs = await measured;
        const beside = isFlooded ? 'a flood' : 'nothing';
        all[beside].push(...timesMs);
        rows.push({
          'beside it': beside,
          'p50, ms': round(percentile(timesMs, 0.5), 2),
          'p99, ms': round(percentile(timesMs, 0.99), 2),
          refused,
        });
        await wait(WARM_UP_MS);
      }
    }
    return {
      rows,
      targets: [
        {
          name: "the others' p99 (beside a client at 100 times its limit / alone)",
          value: round(percentile(all['a flood'], 0.99) / percentile(all.nothing, 0.99), 3),
          atMost: 1.1,
        },
      ],
    };
  },
};
