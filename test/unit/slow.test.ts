import { describe, expect, it } from 'vitest';
import { deliverJobs } from '../../services/deliver/deliver-jobs.ts';
import type { Pace } from '../../shared/delivery/pace.ts';
import { type PostOutcome, unanswered } from '../../shared/delivery/post.ts';
import { runJob, runSlowJobs } from '../../shared/delivery/run.ts';
import type { DeliveryJob } from '../../shared/queues/job.ts';
import { queueRecord } from '../support/records.ts';
import {
  delivered,
  type Fate,
  failed,
  job,
  message,
  POST_TIMEOUT_MS,
  throttled,
  workshop,
} from '../support/workshop.ts';

const FOREVER = Number.POSITIVE_INFINITY;
const noAnswer = unanswered(POST_TIMEOUT_MS);
const slowly = (from: DeliveryJob): DeliveryJob => ({ ...from, isSlow: true });

/** Connections whose ids begin with `hung` answer nothing, within whatever time. */
function posts(answer: PostOutcome = delivered) {
  const made: [string, string, number][] = [];
  const fate: Fate = (connectionId, name, timeoutMs) => {
    made.push([connectionId, name, timeoutMs]);
    return connectionId.startsWith('hung') ? unanswered(timeoutMs) : answer;
  };
  return { made, fate };
}

function clock() {
  let nowMs = 1_000_000;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { now: () => nowMs, pass };
}

describe('a connection that does not answer within the grace', () => {
  it('gets the rest from a slow job, which is the same attempt and comes at once', async () => {
    const { deps, retries, slow, dead } = workshop((id, name) =>
      id === 'a' && name === '2' ? unanswered(500) : delivered,
    );
    await runJob(job(['a', 'b'], ['1', '2', '3'], 2), deps, FOREVER);
    expect(slow).toEqual([{ jobs: [slowly(job(['a'], ['2', '3'], 2))], delaySeconds: 0 }]);
    expect([retries, dead]).toEqual([[], []]);
  });

  it('is not waited for again for a while', async () => {
    const { fate, made } = posts();
    const { now, pass } = clock();
    const { deps, slow } = workshop(fate, { now });
    await runJob(job(['hung', 'a'], ['1']), deps, FOREVER);
    pass(100);
    await runJob(job(['hung', 'a'], ['2']), deps, FOREVER);
    expect(made.map(([id, name]) => `${id} ${name}`).sort()).toEqual(['a 1', 'a 2', 'hung 1']);
    expect(slow.flatMap(({ jobs }) => jobs)).toEqual(['1', '2'].map((name) => slowly(job(['hung'], [name]))));
  });

  it('takes no turn in the budget while it is known to hang', async () => {
    const announced: number[] = [];
    const { fate } = posts();
    const { deps } = workshop(fate);
    const pace = { ...deps.pace, announce: (_: string, count: number) => void announced.push(count) };
    await runJob(job(['hung', 'a', 'b']), { ...deps, pace }, FOREVER);
    await runJob(job(['hung', 'a', 'b']), { ...deps, pace }, FOREVER);
    expect(announced).toEqual([3, 2]);
  });
});

describe('slow jobs', () => {
  const slow = (name: string, attempt = 1, ids = ['hung']) => slowly(job(ids, [name], attempt));

  it('give each post all of its time', async () => {
    const { fate, made } = posts();
    const { deps, got, ...left } = workshop(fate);
    await runSlowJobs([slow('1', 1, ['a'])], deps, FOREVER);
    expect(made).toEqual([['a', '1', POST_TIMEOUT_MS]]);
    expect(got).toEqual({ a: ['1'] });
    expect(left).toEqual({ forgotten: [], retries: [], slow: [], dead: [] });
  });

  it('post to a connection one message after the other, over all jobs', async () => {
    const inFlight = new Set<string>();
    const { deps, got } = workshop(async (id) => {
      expect(inFlight).not.toContain(id);
      inFlight.add(id);
      await Promise.resolve();
      inFlight.delete(id);
      return delivered;
    });
    await runSlowJobs(
      [slow('1', 1, ['a', 'b']), slow('2', 1, ['b', 'a']), slow('3', 1, ['a'])],
      deps,
      FOREVER,
    );
    expect(got).toEqual({ a: ['1', '2', '3'], b: ['1', '2'] });
  });

  it('wait once for a connection that hangs, however many are for it, and stay slow', async () => {
    const { fate, made } = posts();
    const { deps, slow: again, retries, got } = workshop(fate);
    await runSlowJobs([slow('1'), slow('2', 1, ['hung', 'a']), slow('3', 2)], deps, FOREVER);
    expect(made.map(([id, name]) => `${id} ${name}`)).toEqual(['hung 1', 'a 2']);
    expect(got).toEqual({ a: ['2'] });
    expect(again.map(({ jobs }) => jobs)).toEqual([[slow('1', 2)], [slow('2', 2)], [slow('3', 3)]]);
    for (const { delaySeconds } of again) expect(delaySeconds).toBeGreaterThanOrEqual(5);
    expect(retries).toEqual([]);
  });

  it('wait for it again some seconds later, and not before', async () => {
    const { fate, made } = posts();
    const { now, pass } = clock();
    const { deps } = workshop(fate, { now });
    for (const passed of [0, 3_900, 200]) {
      pass(passed);
      await runSlowJobs([slow('1')], deps, FOREVER);
    }
    expect(made).toHaveLength(2);
  });

  it('serve others while one hangs', async () => {
    const hang = Promise.withResolvers<PostOutcome>();
    const served = Promise.withResolvers<void>();
    const { deps, got } = workshop((id, name) => {
      if (id === 'hung') return hang.promise;
      if (name === '9') served.resolve();
      return delivered;
    });
    const jobs = Array.from({ length: 10 }, (_, n) => slow(String(n), 1, ['hung', 'a']));
    const running = runSlowJobs(jobs, deps, FOREVER);
    await served.promise;
    hang.resolve(noAnswer);
    await running;
    expect(got.a).toHaveLength(10);
  });

  it('end as dead letters that are as at first, with the reason', async () => {
    const { fate } = posts();
    const { deps, dead } = workshop(fate);
    await runSlowJobs([slow('1', 3), slow('2', 3)], deps, FOREVER);
    const reason = 'no answer within 5000 ms (attempt 3 of 3)';
    expect(dead).toEqual(['1', '2'].map((name) => ({ job: job(['hung'], [name]), reason })));
  });

  it('bury nothing that is too late', async () => {
    const { fate } = posts();
    const { now, pass } = clock();
    const { deps, dead } = workshop(fate, { now, attemptsMax: 1 });
    const messages = [message('late', now() + 10), message('in time')];
    pass(20);
    await runSlowJobs([slow('1'), { ...slow('2'), messages }], deps, FOREVER);
    expect(dead.map((letter) => letter.job.messages.length)).toEqual([1, 1]);
    expect(dead[1]?.job.messages).toEqual([message('in time')]);
  });

  it('leave to others what they cannot begin in time', async () => {
    let turns = 0;
    const { fate, made } = posts(failed);
    const { deps, slow: again, retries } = workshop(fate);
    const pace = { ...deps.pace, takeTurn: async () => ++turns <= 1 };
    await runSlowJobs([slow('1', 1, ['a']), slow('1', 1, ['b'])], { ...deps, pace }, FOREVER);
    expect(made).toHaveLength(1);
    expect(again.flatMap(({ jobs }) => jobs).toSorted((a, b) => a.attempt - b.attempt)).toEqual([
      { ...slow('1', 1, ['b']), waitsSinceMs: 0 },
      slow('1', 2, ['a']),
    ]);
    expect(again.map(({ delaySeconds }) => delaySeconds).sort()).toEqual([0, 8]);
    expect(retries).toEqual([]);
  });

  it.each([
    ['comes in time', async () => false],
    ['can be asked for', () => Promise.reject(new Error('table is away'))],
  ])(
    'give back what they hold when no turn %s: their places in flight, and what was announced',
    async (_, takeTurn) => {
      let announced = 0;
      const { fate } = posts();
      const { deps } = workshop(fate);
      const pace: Pace = {
        ...deps.pace,
        announce: (_, count) => {
          announced += count;
        },
        takeTurn,
      };
      await runSlowJobs([slow('1', 1, ['a', 'b'])], { ...deps, pace }, FOREVER);
      expect([deps.inFlight.enter(), deps.inFlight.enter()]).toEqual([undefined, undefined]);
      expect(announced).toBe(0);
    },
  );

  it('say nothing of how long others take to answer', async () => {
    const { now, pass } = clock();
    const answerLate: Fate = () => {
      pass(4_000);
      return delivered;
    };
    const { deps } = workshop(answerLate, { now });
    await runSlowJobs([slow('1', 1, ['a'])], deps, FOREVER);
    expect(deps.patience.graceMs('b')).toBe(500);
    await runJob(job(['a']), deps, FOREVER);
    expect(deps.patience.graceMs('b')).toBe(POST_TIMEOUT_MS);
  });

  it('are told from others by the worker', async () => {
    const { fate, made } = posts();
    const { deps } = workshop(fate);
    const records = [job(['a']), slow('1'), slow('2')].map((each, index) =>
      queueRecord({ messageId: String(index), body: JSON.stringify(each) }),
    );
    expect((await deliverJobs(records, deps, FOREVER)).failed).toEqual([]);
    // The two are alike, so that they run as one: the second message is left to its retry.
    expect(made.map(([id, name, ms]) => [id, name, ms === POST_TIMEOUT_MS]).sort()).toEqual([
      ['a', '1', false],
      ['hung', '1', true],
    ]);
  });

  it('fail only the record of the one that could not be handed on', async () => {
    const { fate } = posts();
    const { deps } = workshop(fate, {
      slowQueue: { enqueue: () => Promise.reject(new Error('queue is away')) },
    });
    const records = [slow('1'), slow('1', 1, ['a'])].map((each, index) =>
      queueRecord({ messageId: String(index), body: JSON.stringify(each) }),
    );
    const { failed: again } = await deliverJobs(records, deps, FOREVER);
    expect(again.map(({ record }) => record.messageId)).toEqual(['0']);
  });
});

describe('a connection that is throttled', () => {
  const MINUTE_MS = 60_000;

  it('is tried again as the same attempt, after pauses that grow to 10 s', async () => {
    const { now, pass } = clock();
    const { deps, retries, dead } = workshop(() => throttled, { now, random: () => 0.999 });
    const sinceMs = now();
    let next: DeliveryJob | undefined = job(['a'], ['1'], 3);
    const pauses: number[] = [];
    for (let tries = 0; tries < 8 && next; tries++) {
      await runJob(next, deps, FOREVER);
      const { jobs, delaySeconds } = retries.at(-1) ?? { jobs: [], delaySeconds: 0 };
      [next] = jobs;
      pauses.push(delaySeconds);
      pass(delaySeconds * 1_000);
    }
    expect(next).toEqual({ ...job(['a'], ['1'], 3), throttledSinceMs: sinceMs });
    expect(pauses).toEqual([1, 1, 2, 4, 8, 10, 10, 10]);
    expect(dead).toEqual([]);
  });

  it('uses up no attempt, though a post to another one fails', async () => {
    const { now } = clock();
    const { deps, retries } = workshop((id) => (id === 'a' ? failed : throttled), { now });
    await runJob(job(['a', 'b']), deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([
      { ...job(['b']), throttledSinceMs: now() },
      job(['a'], ['1'], 2),
    ]);
  });

  it('is given up when it has been throttled for a quarter of an hour, and no sooner', async () => {
    const { now, pass } = clock();
    const { deps, retries, dead } = workshop(() => throttled, { now });
    const since = { ...job(['a']), throttledSinceMs: now() };
    pass(15 * MINUTE_MS - 1);
    await runJob(since, deps, FOREVER);
    expect([retries.length, dead]).toEqual([1, []]);
    pass(1);
    await runJob(since, deps, FOREVER);
    expect(retries).toHaveLength(1);
    expect(dead).toEqual([{ job: job(['a']), reason: 'HTTP 429 for 15 minutes' }]);
  });

  it('begins anew once it was answered something else', async () => {
    const { deps, retries } = workshop(() => failed);
    await runJob({ ...job(['a']), throttledSinceMs: 1 }, deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([job(['a'], ['1'], 2)]);
  });

  it('begins anew once it took a frame, however slowly it reads', async () => {
    const { now, pass } = clock();
    const { deps, retries, dead } = workshop(
      (id, name) => (id === 'a' && name === '1' ? delivered : throttled),
      {
        now,
      },
    );
    const since = { ...job(['a', 'b'], ['1', '2']), throttledSinceMs: now() };
    pass(15 * MINUTE_MS);
    await runJob(since, deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([{ ...job(['a'], ['2']), throttledSinceMs: now() }]);
    expect(dead).toEqual([{ job: job(['b'], ['1', '2']), reason: 'HTTP 429 for 15 minutes' }]);
  });

  it('gets what has piled up in one job', async () => {
    const { now } = clock();
    const { deps, retries } = workshop(() => throttled, { now });
    const records = ['1', '2', '3'].map((name, index) =>
      queueRecord({
        messageId: name,
        body: JSON.stringify({ ...job(['a'], [name]), throttledSinceMs: now() - 1_000 * index }),
      }),
    );
    await deliverJobs(records, deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([
      { ...job(['a'], ['1', '2', '3']), throttledSinceMs: now() - 2_000 },
    ]);
  });
});
