import { paced } from '../crowd/scenarios.ts';
import { type Bench, round } from './bench.ts';

const SECONDS = 10;

/** A broadcast that takes ten seconds at its budget, by several workers. */
export const bench: Bench = {
  title: 'Pacing: a budget of requests, shared by all workers',
  async run() {
    const rows = [];
    for (const budget of [500, 2_000, 4_000]) {
      const { busiestSecond, meanPerSecond, missed, twice } = await paced(budget * SECONDS, budget);
      rows.push({
        'requests/s allowed': budget,
        'mean requests/s': round(meanPerSecond, 0),
        'busiest second': busiestSecond,
        used: round(meanPerSecond / budget, 3),
        'missed or twice': Number(missed[1]) + twice,
      });
    }
    return {
      rows,
      targets: [
        {
          name: 'budget used (least share)',
          value: Math.min(...rows.map(({ used }) => used)),
          atLeast: 0.95,
        },
        {
          name: 'busiest second (greatest share of the budget)',
          value: round(Math.max(...rows.map((row) => row['busiest second'] / row['requests/s allowed'])), 3),
          atMost: 1,
        },
        {
          name: 'subscribers missed or served twice, under pacing',
          value: rows.reduce((sum, row) => sum + row['missed or twice'], 0),
          atMost: 0,
        },
      ],
    };
  },
};
