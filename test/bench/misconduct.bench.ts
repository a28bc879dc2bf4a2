import { GOOD_CONDUCT } from '../crowd/conduct.ts';
import { type Misconduct, misconduct } from '../crowd/scenarios.ts';
import { type Bench, median, round } from './bench.ts';

const CONNECTIONS = 10_000;
const RUNS = 3;
const CONDUCT = { gone: 5, hang: 1, throttled: 2, throttledTimes: Number.POSITIVE_INFINITY };
/** What the machine can do is not what is looked at: the posts take five seconds either way. */
const ENV = { REQUESTS_PER_SECOND_MAX: '2000', ENVIRONMENTS_MAX: '10' };

/** 1 % of the connections hang, 5 % are gone, 2 % answer 429 for good. */
export const bench: Bench = {
  title: 'Connections that hang, are gone, or answer 429',
  async run() {
    const rows: (Misconduct & { readonly connections: string })[] = [];
    for (let run = 0; run < RUNS; run++) {
      for (const conduct of [GOOD_CONDUCT, CONDUCT]) {
        const result = await misconduct(CONNECTIONS, conduct, ENV);
        rows.push({ connections: conduct === CONDUCT ? 'with failures' : 'all well', ...result });
      }
    }
    const p99 = (which: string) =>
      median(rows.flatMap(({ connections, p99Ms }) => (connections === which ? p99Ms : [])));
    const unaccounted = rows.map(
      ({ delivered, gone, deadLettered }) => CONNECTIONS - delivered - gone - deadLettered,
    );
    return {
      rows: rows.map((row) => ({ ...row })),
      targets: [
        {
          name: "healthy connections' p99 (with failures / all well)",
          value: round(p99('with failures') / p99('all well'), 3),
          atMost: 1.2,
        },
        {
          name: 'connections unaccounted for or served twice',
          value: rows.reduce((sum, { twice }, run) => sum + twice + Math.abs(Number(unaccounted[run])), 0),
          atMost: 0,
        },
      ],
    };
  },
};
