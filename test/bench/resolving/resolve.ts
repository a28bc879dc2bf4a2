import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { lean } from '../../../shared/aws/sdk/lean.ts';
import { createSubscriptions } from '../../../shared/data/subscriptions.ts';
import { systemClock } from '../../../shared/lambda/clock.ts';
import { parsePattern } from '../../../shared/protocol/topic.ts';

/** Resolves the same topic again and again in one way, and tells its parent what one time takes of the processor. */
const SUBSCRIBERS = 10_000;
const WARM_UP = 10;
const TIMES = 40;

export type Way = keyof typeof ways;

const usually = async (projection: object): Promise<string[]> => {
  const module: string = '../usual/subscribers.js'; // a package of its own, without types
  const { subscribers } = await import(module);
  return subscribers(projection);
};

const subscriptions = createSubscriptions(lean(DynamoDBClient), 'subscriptions', systemClock);
const shard = { pattern: parsePattern('chat/lobby'), shard: 0 };

const ways = {
  'DocumentClient, whole items': () => usually({}),
  'DocumentClient, ids only': () => usually({ ProjectionExpression: 'connectionId' }),
  Fanwire: async () => {
    const found: string[] = [];
    for await (const page of subscriptions.subscribers(shard)) for (const id of page) found.push(id);
    return found;
  },
} as const;

process.once('message', async (way: Way) => {
  const run = async (times: number) => {
    for (let time = 0; time < times; time++) {
      const { length } = await ways[way]();
      if (length !== SUBSCRIBERS) throw new Error(`expected ${SUBSCRIBERS} subscribers, got ${length}`);
    }
  };
  await run(WARM_UP);
  const before = process.cpuUsage();
  await run(TIMES);
  const { user, system } = process.cpuUsage(before);
  process.send?.((user + system) / 1000 / TIMES, () => process.exit());
});
