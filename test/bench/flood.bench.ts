import { flood } from '../crowd/scenarios.ts';
import { type Bench, median, type Row, round } from './bench.ts';

const RUNS = 5;
const CONNECTIONS = 3_000;
/** The budget, not this machine's processor, is what the flood uses up. */
const LOAD = { messages: 600, everyMs: 20, requestsPerSecond: 200 };
const FLOOD_MESSAGES = 20;

/** A topic with three subscribers, alone and beside a topic whose jobs wait all the time. */
export const bench: Bench = {
  title: 'A flood on one topic, seen from another',
  async run() {
    const rows: Row[] = [];
    for (let run = 0; run < RUNS; run++) {
      for (const messages of [0, FLOOD_MESSAGES]) {
        const { quietP50Ms, quietP99Ms, floodPosts, stillWaiting } = await flood(messages, CONNECTIONS, LOAD);
        rows.push({
          'beside it': messages > 0 ? 'a flood' : 'nothing',
          'p50, ms': round(quietP50Ms),
          'p99, ms': round(quietP99Ms),
          "the flood's posts": floodPosts,
          'jobs still waiting': stillWaiting,
        });
      }
    }
    const p99 = (beside: string) =>
      median(rows.filter((row) => row['beside it'] === beside).map((row) => Number(row['p99, ms'])));
    return {
      rows,
      targets: [
        {
          name: "the quiet topic's p99 (beside a flood / alone)",
          value: round(p99('a flood') / p99('nothing'), 3),
          atMost: 1.1,
        },
      ],
    };
  },
};
