import { setImmediate } from 'node:timers/promises';
import { type Budget, createBudget } from '../../shared/data/budget.ts';
import { createPace, type Pace, type Urgency } from '../../shared/delivery/pace.ts';
import { type MakeRequest, MemoryDynamoDB } from '../memory/dynamodb.ts';
import { ManualClock } from './manual-clock.ts';

export const wait = (clock: ManualClock, ms: number) =>
  new Promise<void>((resolve) => void clock.after(Math.max(1, Math.round(ms)), resolve));

interface WorkersOptions {
  readonly workers?: number;
  /** How many there may be. */
  readonly environmentsMax?: number;
  /** How long a write to the table takes. */
  readonly askMs?: number;
  /** How far the clocks of the first workers are ahead of the others'. */
  readonly aheadMs?: readonly number[];
}

/** Workers that share the schedule of a table in memory, on a clock that the test moves. */
export function workersAt(
  requestsPerSecondMax: number,
  { workers = 1, environmentsMax = workers, askMs = 8, aheadMs = [] }: WorkersOptions = {},
) {
  const clock = new ManualClock();
  const table = { writes: 0 };
  const makeRequest: MakeRequest = async (_, perform) => {
    table.writes += 1;
    await wait(clock, askMs / 2);
    try {
      return perform();
    } finally {
      await wait(clock, askMs / 2);
    }
  };
  const dynamodb = new MemoryDynamoDB().client(makeRequest);
  /** How often turns were asked for, whatever that took of writes. */
  const asked = { times: 0 };
  const paces = Array.from({ length: workers }, (_, index) => {
    const now = () => clock.now() + (aheadMs[index] ?? 0);
    const budget = createBudget(dynamodb, 'topics', now);
    const counted: Budget = {
      take: (...span) => {
        asked.times += 1;
        return budget.take(...span);
      },
    };
    return createPace({
      ...{ budget: counted, requestsPerSecondMax, environmentsMax, now, random: () => 0.5 },
      wait: (ms) => wait(clock, ms),
    });
  });
  const sent: number[] = [];
  /** Makes posts one after the other, as fast as they may go. */
  const post = async (pace: Pace, urgency: Urgency, posts: number, onPost = () => {}) => {
    pace.announce(urgency, posts);
    for (let n = 0; n < posts && (await pace.takeTurn(urgency, Number.POSITIVE_INFINITY)); n++) {
      sent.push(clock.now());
      onPost();
    }
  };
  const run = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      await setImmediate();
      clock.advance(1);
    }
    await setImmediate();
  };
  return { clock, asked, table, paces, sent, post, run };
}

/** The most that were sent within any second. */
export function busiestSecond(times: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (Number(times[to]) - Number(times[from]) >= 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
