import { describe, expect, it } from 'vitest';
import { deliver } from '../../shared/delivery/deliver.ts';
import {
  type DeliveryJob,
  decodeJob,
  encodeJob,
  JOB_BYTES_MAX,
  retryDelaySeconds,
} from '../../shared/delivery/job.ts';
import { createPost, type PostOutcome } from '../../shared/delivery/post.ts';
import { type RunDeps, runJob } from '../../shared/delivery/run.ts';

const decoder = new TextDecoder();
const delivered: PostOutcome = { outcome: 'delivered' };
const gone: PostOutcome = { outcome: 'gone' };
const failed: PostOutcome = { outcome: 'failed', reason: 'HTTP 500' };

/** Posts whose outcome `fate` decides; keeps what each connection got, in order. */
function postsThat(fate: (connectionId: string, frame: string) => PostOutcome | Promise<PostOutcome>) {
  const got: Record<string, string[]> = {};
  const post = async (connectionId: string, data: Uint8Array) => {
    const frame = decoder.decode(data);
    const result = await fate(connectionId, frame);
    if (result.outcome === 'delivered') got[connectionId] = [...(got[connectionId] ?? []), frame];
    return result;
  };
  return { post, got, postsInFlightMax: 2 };
}

function workshop(fate: Parameters<typeof postsThat>[0], overrides: Partial<RunDeps> = {}) {
  const forgotten: string[] = [];
  const retries: { jobs: readonly DeliveryJob[]; delaySeconds: number }[] = [];
  const dead: { job: DeliveryJob; reason: string }[] = [];
  const { got, ...posts } = postsThat(fate);
  const deps: RunDeps = {
    ...posts,
    forget: async (connectionId) => void forgotten.push(connectionId),
    deliveryQueue: { add: async (jobs, delaySeconds) => void retries.push({ jobs, delaySeconds }) },
    deadLetters: { add: async (body, reason) => void dead.push({ job: decodeJob(body), reason }) },
    attemptsMax: 3,
    random: () => 0.5,
    ...overrides,
  };
  return { deps, got, forgotten, retries, dead };
}

const job = (connectionIds: string[], frames = ['1'], attempt = 1): DeliveryJob => ({
  group: 'news',
  frames,
  connectionIds,
  attempt,
});

describe('deliver', () => {
  it('gives every connection every frame in order', async () => {
    const { got, ...deps } = postsThat(() => delivered);
    const result = await deliver({ frames: ['1', '2', '3'], connectionIds: ['a', 'b', 'c'] }, deps);
    expect(result).toEqual({ delivered: 3, gone: [], failed: [] });
    expect(got).toEqual({ a: ['1', '2', '3'], b: ['1', '2', '3'], c: ['1', '2', '3'] });
  });

  it('keeps later frames back from a connection that missed one', async () => {
    const { got, ...deps } = postsThat((id, frame) => (id === 'b' && frame === '2' ? failed : delivered));
    const result = await deliver({ frames: ['1', '2', '3'], connectionIds: ['a', 'b'] }, deps);
    expect(result).toEqual({
      delivered: 1,
      gone: [],
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
    const delivery = deliver({ frames: ['1'], connectionIds: ['slow', 'x', 'y', 'z'] }, deps);
    await served.promise;
    hang.resolve(failed);
    expect((await delivery).failed).toHaveLength(1);
    expect(Object.keys(got)).toEqual(['x', 'y', 'z']);
  });
});

describe('runJob', () => {
  it('forgets a connection that is gone, and still reaches the others', async () => {
    const { deps, got, forgotten, retries } = workshop((id) => (id === 'b' ? gone : delivered));
    await runJob(job(['a', 'b', 'c']), deps);
    expect(Object.keys(got)).toEqual(['a', 'c']);
    expect(forgotten).toEqual(['b']);
    expect(retries).toEqual([]);
  });

  it('tries again with exactly the connections and frames that are missing', async () => {
    const { deps, retries, dead } = workshop((id, frame) =>
      (id === 'b' && frame === '2') || id === 'c' ? failed : delivered,
    );
    await runJob(job(['a', 'b', 'c'], ['1', '2']), deps);
    expect(retries).toEqual([{ jobs: [job(['b'], ['2'], 2), job(['c'], ['1', '2'], 2)], delaySeconds: 1 }]);
    expect(dead).toEqual([]);
  });

  it('gives up after the last attempt, with the reason', async () => {
    const { deps, retries, dead } = workshop(() => failed);
    await runJob(job(['a', 'b'], ['1'], 3), deps);
    expect(retries).toEqual([]);
    expect(dead).toEqual([{ job: job(['a', 'b']), reason: 'HTTP 500 (attempt 3 of 3)' }]);
  });

  it('writes a dead letter for each reason', async () => {
    const { deps, dead } = workshop((id) => ({ outcome: 'failed', reason: id }));
    await runJob(job(['a', 'b'], ['1'], 3), deps);
    expect(dead.map(({ reason }) => reason)).toEqual(['a (attempt 3 of 3)', 'b (attempt 3 of 3)']);
  });

  it('tries rows again that could not be deleted, without a post to anybody else', async () => {
    const { deps, retries } = workshop((id) => (id === 'b' ? gone : delivered), {
      forget: () => Promise.reject(new Error('throttled')),
    });
    await runJob(job(['a', 'b']), deps);
    expect(retries.flatMap(({ jobs }) => jobs)).toEqual([job(['b'], ['1'], 2)]);
  });

  it('throws if what is missing cannot be handed on, so that the queue keeps the job', async () => {
    const { deps } = workshop(() => failed, {
      deliveryQueue: { add: () => Promise.reject(new Error('queue is away')) },
    });
    await expect(runJob(job(['a']), deps)).rejects.toThrow('queue is away');
  });
});

describe('encodeJob', () => {
  it('splits many connections into jobs of at most 500', () => {
    const ids = Array.from({ length: 1_250 }, (_, index) => `c${index}`);
    const jobs = encodeJob(job(ids)).map(decodeJob);
    expect(jobs.map(({ connectionIds }) => connectionIds.length)).toEqual([500, 500, 250]);
    expect(jobs.flatMap(({ connectionIds }) => connectionIds)).toEqual(ids);
  });

  it('splits many bytes into jobs that each fit a queue message, frames in order', () => {
    // The worst a frame can be: quotes are escaped once in the frame and again in the job.
    const frames = ['1', '2', '3', '4', '5'].map((n) => JSON.stringify({ n, data: '"'.repeat(63_000) }));
    const bodies = encodeJob(job(['a'], frames));
    for (const body of bodies) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(JOB_BYTES_MAX);
    expect(bodies.length).toBeGreaterThan(1);
    expect(bodies.flatMap((body) => decodeJob(body).frames)).toEqual(frames);
  });
});

it('backs off with full jitter, between 1 s and 60 s', () => {
  const delays = (random: number) =>
    [1, 2, 3, 4, 10].map((attempt) => retryDelaySeconds(attempt, () => random));
  expect(delays(0)).toEqual([1, 1, 1, 1, 1]);
  expect(delays(0.999)).toEqual([2, 4, 8, 16, 60]);
});

it('ends a post that never answers at its own deadline', async () => {
  const aborted: boolean[] = [];
  const client = {
    send: (_: unknown, { abortSignal }: { abortSignal: AbortSignal }) => {
      abortSignal.addEventListener('abort', () => aborted.push(true));
      return new Promise(() => {});
    },
  };
  const post = createPost(client as never, 20);
  expect(await post('a', new Uint8Array())).toEqual({ outcome: 'failed', reason: 'no answer within 20 ms' });
  expect(aborted).toEqual([true]);
});
