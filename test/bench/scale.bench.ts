import { everybody } from '../crowd/scenarios.ts';
import { type Bench, round } from './bench.ts';

const SIZES = [100, 1_000, 10_000, 100_000];
const MESSAGES = 2;
const PUBLISHES_SMALL = 20;

/** One topic from 100 to 100,000 subscribers: the real pipeline, with stubbed sockets. */
export const bench: Bench = {
  title: 'Subscribers of one topic, through the real pipeline to stubbed sockets',
  async run() {
    const rows = [];
    let wrong = 0;
    for (const subscribers of SIZES) {
      const result = await everybody(subscribers, subscribers < 10_000 ? PUBLISHES_SMALL : MESSAGES);
      for (const { missed, twice } of result.reports) {
        wrong += twice + Object.values(missed).reduce((sum, each) => sum + each, 0);
      }
      rows.push({
        subscribers,
        'last has it, ms': round(result.lastMs, 0),
        'posts/s': round(result.postsPerSecond, 0),
        '$ per million': round(result.dollarsPerMillion, 4),
        'heap MB': round(result.heapMb, 0),
        'longest invocation, share of timeout': round(result.longestShare, 3),
      });
    }
    const dollars = rows.map((row) => row['$ per million']);
    const thousand = Number(dollars[1]);
    return {
      rows,
      targets: [
        { name: 'subscribers missed or served twice', value: wrong, atMost: 0 },
        {
          name: 'longest invocation (share of its timeout)',
          value: Math.max(...rows.map((row) => row['longest invocation, share of timeout'])),
          atMost: 0.5,
        },
        { name: 'heap of a worker (MB)', value: Math.max(...rows.map((row) => row['heap MB'])), atMost: 256 },
        { name: 'dollars per million deliveries at 1,000 subscribers', value: thousand, atMost: 1.05 },
        {
          name: 'dollars per delivery, 100 to 100,000 subscribers (greatest ratio to 1,000)',
          value: round(Math.max(...dollars.map((each) => Math.max(each / thousand, thousand / each))), 3),
          atMost: 1.1,
        },
      ],
    };
  },
};
