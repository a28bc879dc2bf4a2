import { describe, expect, it } from 'vitest';
import { deliverJobs } from '../../services/deliver/deliver-jobs.ts';
import { createLimit } from '../../shared/async.ts';
import type { Pace } from '../../shared/delivery/pace.ts';
import { type PostOutcome, unanswered } from '../../shared/delivery/post.ts';
import { postJob } from '../../shared/delivery/post-job.ts';
import { runJob } from '../../shared/delivery/run.ts';
import { createSdkPost } from '../../shared/delivery/sdk-post.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import {
  type DeliveryJob,
  decodeJob,
  encodeJob,
  JOB_BYTES_MAX,
  retryDelaySeconds,
  slowRetryDelaySeconds,
  throttledDelaySeconds,
} from '../../shared/queues/job.ts';
import { freePace } from '../support/free-pace.ts';
import { queueRecord } from '../support/records.ts';
import {
  delivered,
  failed,
  gone,
  job,
  message,
  postsThat,
  throttled,
  workshop,
} from '../support/workshop.ts';

const decoder = new TextDecoder();
const FOREVER = Number.POSITIVE_INFINITY;

const turnsFor = (posts: number) => {
  let turns = 0;
  return async () => ++turns <= posts;
};

const nothing = { gone: [], failed: [], throttled: [], slow: [], unreached: [], expired: 0 };

const outcome = async (...args: Parameters<typeof postJob>) => {
  const { delivered, gone, failed, throttled, slow, unreached, expired } = await postJob(...args);
  return { delivered, gone, failed, throttled, slow, unreached, expired };
};

describe('postJob', () => {
  it('gives every connection every message in order', async () => {
    const { got, ...deps } = postsThat(() => delivered);
    const result = await outcome(job(['a', 'b', 'c'], ['1', '2', '3']), deps, FOREVER);
    expect(result).toEqual({ ...nothing, delivered: 3 });
    expect(got).toEqual({ a: ['1', '2', '3'], b: ['1', '2', '3'], c: ['1', '2', '3'] });
  });

  it('keeps later messages back from a connection that missed one', async () => {
    const { got, ...deps } = postsThat((id, message) => (id === 'b' && message === '2' ? failed : delivered));
    const result = await outcome(job(['a', 'b'], ['1', '2', '3']), deps, FOREVER);
    expect(result).toEqual({
      ...nothing,
      delivered: 1,
      failed: [{ connectionId: 'b', from: 1, reason: 'HTTP 500' }],
    });
    expect(got.b).toEqual(['1']);
  });

  it('serves the others while one post hangs', async () => {
    const hang = Promise.withResolvers<PostOutcome>();
    const served = Promise.withResolvers<void>();
    const { got, ...deps } = postsThat((id) => {
      if (id === 'slow') return hang.promise;
      if (id === 'z') served.resolve();
      return delivered;
    });
    const delivery = outcome(job(['slow', 'x', 'y', 'z']), deps, FOREVER);
    await served.promise;
    hang.resolve(failed);
    expect((await delivery).failed).toHaveLength(1);
    expect(Object.keys(got)).toEqual(['x', 'y', 'z']);
  });

  it('tells the pace of every 429', async () => {
    const answers: boolean[] = [];
    const { got: _, ...deps } = postsThat((id) =>
      id === 'a' ? { outcome: 'throttled', reason: 'HTTP 429' } : delivered,
    );
    const pace = { ...freePace(), noteAnswer: (isThrottled: boolean) => void answers.push(isThrottled) };
    const result = await outcome(job(['a', 'b']), { ...deps, pace }, FOREVER);
    expect(result).toMatchObject({
      throttled: [{ connectionId: 'a', from: 0, reason: 'HTTP 429' }],
      failed: [],
    });
    expect(answers.sort()).toEqual([false, true]);
  });

  it('drops what is too late, and counts it for everybody who did not get it', async () => {
    let nowMs = 0;
    const { got, ...deps } = postsThat(() => {
      nowMs += 10;
      return delivered;
    });
    const messages = [message('late', 0), message('soon late', 10), message('in time')];
    const result = await outcome(
      { messages, connectionIds: ['a', 'b'] },
      { ...deps, inFlight: createLimit(1), now: () => nowMs },
      FOREVER,
    );
    expect(got).toEqual({ a: ['soon late', 'in time'], b: ['in time'] });
    expect(result).toMatchObject({ delivered: 2, expired: 3 });
  });

  it('names whom it had no time for, from the message that they miss', async () => {
    let turns = 0;
    // Turns for a's first message, b's, and a's second; then none.
    const pace = { ...freePace(), takeTurn: async () => ++turns <= 3 };
    const { got, ...deps } = postsThat(() => delivered);
    const result = await outcome(job(['a', 'b', 'c', 'd'], ['1', '2']), { ...deps, pace }, FOREVER);
    const missed = new Map(result.unreached.map(({ connectionId, from }) => [connectionId, from]));
    expect([...missed.keys()].sort()).toEqual(
      ['a', 'b', 'c', 'd'].filter((id) => (got[id]?.length ?? 0) < 2),
    );
    for (const [id, from] of missed) expect(from).toBe(got[id]?.length ?? 0);
    expect(Object.values(got).flat()).toHaveLength(3);
  });

  it('fails those for whom no turn could be asked for', async () => {
    let turns = 0;
    const pace = {
      ...freePace(),
      takeTurn: async () => {
        if (++turns === 2) throw new Error('table is away');
        return true;
      },
    };
    const { got, ...deps } = postsThat(() => delivered);
    const result = await outcome(job(['a', 'b', 'c']), { ...deps, pace }, FOREVER);
    expect(got).toEqual({ a: ['1'] });
    expect(result.failed).toEqual(
      ['b', 'c'].map((connectionId) => ({ connectionId, from: 0, reason: 'Error: table is away' })),
    );
  });

  it.each([
    ['comes in time', async () => false],
    ['can be asked for', () => Promise.reject(new Error('table is away'))],
  ])('takes back what it has announced once no turn %s', async (_, noTurn) => {
    let announced = 0;
    let turns = 0;
    const pace: Pace = {
      ...freePace(),
      announce: (_, posts) => {
        announced += posts;
      },
      takeTurn: () => (++turns <= 2 ? true : noTurn()),
    };
    const { got: _got, ...deps } = postsThat(() => delivered);
    await postJob(job(['a', 'b', 'c', 'd'], ['1', '2']), { ...deps, pace }, FOREVER);
    // That many turns were had, which the pace takes off by itself.
    expect(announced).toBe(2);
  });
});

describe('runJob', () => {
  it('forgets a connection that is gone, and still reaches the others', async () => {
    const { deps, got, forgotten, retries } = workshop((id) => (id === 'b' ? gone : delivered));
    await runJob(job(['a', 'b', 'c']), deps, FOREVER);
    expect(Object.keys(got)).toEqual(['a', 'c']);
    expect(forgotten).toEqual(['b']);
    expect(retries).toEqual([]);
  });

  it('tries again with exactly the connections and frames that are missing', async () => {
    const { deps, retries, dead } = workshop((id, message) =>
      (id === 'b' && message === '2') || id === 'c' ? failed : delivered,
    );
    await runJob(job(['a', 'b', 'c'], ['1', '2']), deps, FOREVER);
    expect(retries).toEqual([{ jobs: [job(['b'], ['2'], 2), job(['c'], ['1', '2'], 2)], delaySeconds: 0 }]);
    expect(dead).toEqual([]);
  });

  it('gives up after the last attempt, with the reason', async () => {
    const { deps, retries, dead } = workshop(() => failed);
    await runJob(job(['a', 'b'], ['1'], 3), deps, FOREVER);
    expect(retries).toEqual([]);
    expect(dead).toEqual([{ job: job(['a', 'b']), reason: 'HTTP 500 (attempt 3 of 3)' }]);
  });

  it('writes a dead letter for each reason', async () => {
    const { deps, dead } = workshop((id) => ({ outcome: 'failed', reason: id }));
    await runJob(job(['a', 'b'], ['1'], 3), deps, FOREVER);
    expect(dead.map(({ reason }) => reason)).toEqual(['a (attempt 3 of 3)', 'b (attempt 3 of 3)']);
  });

  it('tries rows again that could not be deleted, without a post to anybody else', async () => {
    const { deps, retries } = workshop((id) => (id === 'b' ? gone : delivered), {
      forget: () => Promise.reject(new Error('throttled')),
    });
    await runJob(job(['a', 'b']), deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([job(['b'], ['1'], 2)]);
  });

  it('leaves a job for whom it had no time for, at once and as the same attempt', async () => {
    const { deps, retries } = workshop((id) => (id === 'a' ? failed : delivered), {
      pace: { ...freePace(), takeTurn: turnsFor(2) },
    });
    await runJob(job(['a', 'b', 'c', 'd'], ['1'], 2), deps, FOREVER);
    expect(retries).toEqual([
      { jobs: [{ ...job(['c', 'd'], ['1'], 2), waitsSinceMs: 0 }], delaySeconds: 0 },
      { jobs: [job(['a'], ['1'], 3)], delaySeconds: 8 },
    ]);
  });

  it('gives up a job that no worker had time for during hours, with its reason', async () => {
    const HOUR_MS = 3_600_000;
    let nowMs = HOUR_MS;
    const { deps, retries, dead } = workshop(() => delivered, {
      pace: { ...freePace(), takeTurn: () => false },
      now: () => nowMs,
    });
    await runJob(job(['a', 'b'], ['1'], 2), deps, FOREVER);
    for (let hour = 1; hour <= 7; hour++) {
      nowMs += HOUR_MS;
      const [waiting] = retries.at(-1)?.jobs ?? [];
      await runJob(waiting as DeliveryJob, deps, FOREVER);
    }
    expect(retries).toHaveLength(7);
    expect(dead).toEqual([
      {
        job: job(['a', 'b'], ['1'], 1),
        reason: 'no worker had time for it within 6 hours',
      },
    ]);
  });

  it.each<[string, PostOutcome, boolean]>([
    ['failed', failed, true],
    ['was throttled', throttled, true],
    ['got no answer within the grace', unanswered(500), true],
    ['had no turn', delivered, false],
  ])(
    'leaves the messages of what %s as they were, with the times that they expire',
    async (_, answer, turn) => {
      const pace = { ...freePace(), takeTurn: () => turn };
      const { deps, retries, slow } = workshop(() => answer, { pace });
      const messages = [message('1', 10), message('2')];
      await runJob({ ...job(['a']), messages }, deps, FOREVER);
      expect([...retries, ...slow].flatMap(({ jobs }) => jobs.map((left) => left.messages))).toEqual([
        messages,
      ]);
    },
  );

  it('lets what is left of a broadcast run ahead of nothing, however few they are', async () => {
    const urgencies: string[] = [];
    const turn = turnsFor(250);
    const pace = {
      ...freePace(),
      takeTurn: (urgency: string) => {
        urgencies.push(urgency);
        return turn();
      },
    };
    const { deps, retries } = workshop(() => delivered, { pace, inFlight: createLimit(300) });
    await runJob(job(Array.from({ length: 260 }, (_, n) => `${n}`)), deps, FOREVER);
    const [rest] = retries.flatMap(({ jobs }) => jobs);
    expect(rest?.connectionIds).toHaveLength(10);
    await runJob(rest as DeliveryJob, deps, FOREVER);
    expect(urgencies).toEqual(Array(251 + 1).fill('bulk'));
  });

  it('throws if what is missing cannot be handed on, so that the queue keeps the job', async () => {
    const { deps } = workshop(() => failed, {
      deliveryQueue: { enqueue: () => Promise.reject(new Error('queue is away')) },
    });
    await expect(runJob(job(['a']), deps, FOREVER)).rejects.toThrow('queue is away');
  });
});

describe('encodeJob', () => {
  it('splits many connections into jobs of at most 500', () => {
    const ids = Array.from({ length: 1_250 }, (_, index) => `c${index}`);
    const jobs = encodeJob(job(ids)).map(decodeJob);
    expect(jobs.map(({ connectionIds }) => connectionIds.length)).toEqual([500, 500, 250]);
    expect(jobs.flatMap(({ connectionIds }) => connectionIds)).toEqual(ids);
  });

  it('splits many bytes into jobs that each fit a queue message, messages in order', () => {
    // The worst a message can be: quotes are escaped once in the message and again in the job.
    const messages = ['1', '2', '3', '4', '5'].map((n) => ({
      json: JSON.stringify({ n, data: '"'.repeat(63_000) }),
    }));
    const bodies = encodeJob({ ...job(['a']), messages });
    for (const body of bodies) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(JOB_BYTES_MAX);
    expect(bodies.length).toBeGreaterThan(1);
    expect(bodies.flatMap((body) => decodeJob(body).messages)).toEqual(messages);
  });
});

describe('the pause before a retry', () => {
  const delays = (delaySeconds: (at: number, random: () => number) => number, of: readonly number[]) =>
    [0, 0.999].map((random) => of.map((each) => delaySeconds(each, () => random)));

  it('is none at first, then half to all of 10, 20 and 30 s', () => {
    expect(delays(retryDelaySeconds, [1, 2, 3, 4, 10])).toEqual([
      [0, 5, 10, 15, 15],
      [0, 10, 20, 30, 30],
    ]);
  });

  it('makes five attempts outlast half a minute, and brings the next within half a minute of its end', () => {
    const pauses = [1, 2, 3, 4].map((attempt) => retryDelaySeconds(attempt, () => 0));
    expect(pauses.reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(30);
    expect(retryDelaySeconds(20, () => 0.999)).toBeLessThanOrEqual(30);
  });

  it('is as long for a connection that hangs, and never none', () => {
    expect(delays(slowRetryDelaySeconds, [1, 2, 3, 10])).toEqual([
      [5, 10, 15, 15],
      [10, 20, 30, 30],
    ]);
  });

  it('grows from 1 to 10 s with the time that a connection has been throttled', () => {
    expect(delays(throttledDelaySeconds, [0, 3_000, 8_000, 800_000])).toEqual([
      [1, 2, 4, 5],
      [1, 3, 8, 10],
    ]);
  });
});

it('ends a post that never answers at its own deadline', async () => {
  const aborted: boolean[] = [];
  const client = {
    send: (_: unknown, { abortSignal }: { abortSignal: AbortSignal }) => {
      abortSignal.addEventListener('abort', () => aborted.push(true));
      return new Promise(() => {});
    },
  };
  const post = createSdkPost(client as never, 20);
  const within = (ms: number) => ({ outcome: 'unanswered', reason: `no answer within ${ms} ms` });
  expect(await post('a', new Uint8Array())).toEqual(within(20));
  expect(await post('a', new Uint8Array(), 10)).toEqual(within(10));
  expect(aborted).toEqual([true, true]);
});

describe('a batch of jobs', () => {
  const record = (job: DeliveryJob) => queueRecord({ messageId: `${++records}`, body: JSON.stringify(job) });
  const small = (connectionIds: string[], name: string): DeliveryJob => ({
    ...job(connectionIds),
    messages: [{ json: JSON.stringify({ message: name }) }],
  });
  let records = 0;

  it('posts what is for the same connections in the same frame, in order', async () => {
    const frames: [string, unknown][] = [];
    const { deps } = workshop(() => delivered, {
      post: async (id, bytes) => {
        const { messages, message } = JSON.parse(decoder.decode(bytes));
        frames.push([id, messages?.map((each: { message: string }) => each.message) ?? message]);
        return delivered;
      },
    });
    const jobs = [small(['a', 'b'], '1'), small(['c'], '1'), small(['a', 'b'], '2'), small(['a', 'b'], '3')];
    expect((await deliverJobs(jobs.map(record), deps, FOREVER)).failed).toEqual([]);
    expect(frames.sort()).toEqual([
      ['a', ['1', '2', '3']],
      ['b', ['1', '2', '3']],
      ['c', '1'],
    ]);
  });

  it('waits with it for a worker since the first of it did, in whatever order it comes', async () => {
    for (const since of [
      [7, 5],
      [5, 7],
      [5, undefined],
    ]) {
      const pace = { ...freePace(), takeTurn: turnsFor(0) };
      const { deps, retries } = workshop(() => delivered, { pace, now: () => 9 });
      const jobs = since.map((waitsSinceMs, index) => ({
        ...small(['a'], String(index)),
        ...(waitsSinceMs !== undefined && { waitsSinceMs }),
      }));
      await deliverJobs(jobs.map(record), deps, FOREVER);
      expect(retries.flatMap((each) => each.jobs).map(({ waitsSinceMs }) => waitsSinceMs)).toEqual([5]);
    }
  });

  it('says which log messages are of, and mixes no two', async () => {
    const frames: string[] = [];
    const { deps } = workshop(() => delivered, {
      post: async (_, bytes) => {
        frames.push(decoder.decode(bytes));
        return delivered;
      },
    });
    const of = (epoch: string, name: string) => ({
      ...small(['a'], name),
      topic: parseTopic('chat/a'),
      epoch,
    });
    await deliverJobs([of('old', '1'), of('new', '1'), of('new', '2')].map(record), deps, FOREVER);
    expect(frames.sort()).toEqual([
      '{"type":"message","topic":"chat/a","epoch":"old","message":"1"}',
      '{"type":"messages","topic":"chat/a","epoch":"new","messages":[{"message":"1"},{"message":"2"}]}',
    ]);
  });

  it('sends each receipt in a frame of its own', async () => {
    const frames: string[] = [];
    const { deps } = workshop(() => delivered, {
      post: async (_, bytes) => {
        frames.push(decoder.decode(bytes));
        return delivered;
      },
    });
    const receipt = (name: string): DeliveryJob => ({ ...small(['a'], name), type: 'receipt' });
    await deliverJobs([receipt('1'), small(['a'], '2'), receipt('3')].map(record), deps, FOREVER);
    expect(frames.sort()).toEqual([
      '{"type":"message","message":"2"}',
      '{"type":"receipt","message":"1"}',
      '{"type":"receipt","message":"3"}',
    ]);
  });

  it('keeps first tries and retries apart', async () => {
    const { deps, retries } = workshop(() => failed);
    const jobs = [small(['a'], '1'), { ...small(['a'], '2'), attempt: 2 }];
    await deliverJobs(jobs.map(record), deps, FOREVER);
    expect(retries.flatMap(({ jobs }) => jobs.map(({ attempt }) => attempt)).sort()).toEqual([2, 3]);
  });

  it('hands out again every record of a job that could not be handed on, and no other', async () => {
    const { deps } = workshop((id) => (id === 'a' ? failed : delivered), {
      deliveryQueue: { enqueue: () => Promise.reject(new Error('queue is away')) },
    });
    const all = [small(['a'], '1'), small(['b'], '1'), small(['a'], '2')].map(record);
    const result = await deliverJobs(all, deps, FOREVER);
    expect(result.failed.map(({ record }) => record)).toEqual([all[0], all[2]]);
  });
});
