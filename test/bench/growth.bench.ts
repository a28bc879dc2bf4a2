import { growth } from '../crowd/scenarios.ts';
import type { Bench } from './bench.ts';

const SUBSCRIBERS = 100_000;
const PUBLISH_EVERY_MS = 2_000;

/** 10 to 100,000 subscribers, by the subscribe route's own function, while the topic is published to. */
export const bench: Bench = {
  title: 'A topic that grows while it is published to',
  async run() {
    const startedAt = performance.now();
    const result = await growth(SUBSCRIBERS, PUBLISH_EVERY_MS);
    return {
      rows: [
        { subscribers: SUBSCRIBERS, ...result, seconds: Math.round((performance.now() - startedAt) / 1_000) },
      ],
      targets: [
        { name: 'due a message and missed', value: result.missed, atMost: 0 },
        { name: 'served twice', value: result.twice, atMost: 0 },
        { name: 'shards in the end', value: result.shards, atLeast: 2 },
      ],
    };
  },
};
