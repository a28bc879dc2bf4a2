import { burst } from '../crowd/scenarios.ts';
import { type Bench, round } from './bench.ts';

/** Ten messages in one PutEvents to one topic. */
export const bench: Bench = {
  title: 'Coalescing: a burst of ten messages',
  async run() {
    const rows = [];
    for (const subscribers of [10, 100, 1_000, 10_000]) {
      const { postsPerSubscriber, dollarsPerMillion, missed } = await burst(subscribers);
      rows.push({
        subscribers,
        'posts per subscriber': postsPerSubscriber,
        '$ per million': round(dollarsPerMillion, 4),
        missed,
      });
    }
    return {
      rows,
      targets: [
        {
          name: 'posts per subscriber for a burst of ten',
          value: Math.max(...rows.map((row) => row['posts per subscriber'])),
          atMost: 1.2,
        },
        {
          name: 'dollars per million deliveries, ten coalesced, 1,000 subscribers',
          value: rows[2]?.['$ per million'] ?? Number.NaN,
          atMost: 0.2,
        },
        { name: 'missed in a burst', value: rows.reduce((sum, { missed }) => sum + missed, 0), atMost: 0 },
      ],
    };
  },
};
