import { createLimit } from '../../shared/async.ts';
import { createPatience } from '../../shared/delivery/patience.ts';
import type { Post, PostOutcome } from '../../shared/delivery/post.ts';
import type { RunDeps } from '../../shared/delivery/run.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { type DeliveryJob, decodeJob } from '../../shared/queues/job.ts';
import { freePace } from './free-pace.ts';

export const POST_TIMEOUT_MS = 5_000;

export const delivered: PostOutcome = { outcome: 'delivered' };
export const gone: PostOutcome = { outcome: 'gone' };
export const failed: PostOutcome = { outcome: 'failed', reason: 'HTTP 500' };
export const throttled: PostOutcome = { outcome: 'throttled', reason: 'HTTP 429' };

const decoder = new TextDecoder();

export type Fate = (
  connectionId: string,
  message: string,
  timeoutMs: number,
) => PostOutcome | Promise<PostOutcome>;

/** Posts whose outcome `fate` decides; keeps what each connection got, in order. */
export function postsThat(fate: Fate, now: () => number = () => 0) {
  const got: Record<string, string[]> = {};
  const post: Post = async (connectionId, data, timeoutMs = POST_TIMEOUT_MS) => {
    const { message } = JSON.parse(decoder.decode(data));
    const result = await fate(connectionId, message, timeoutMs);
    if (result.outcome === 'delivered') got[connectionId] = [...(got[connectionId] ?? []), message];
    return result;
  };
  const patience = createPatience({ postTimeoutMs: POST_TIMEOUT_MS, now });
  return { post, got, inFlight: createLimit(2), pace: freePace(), patience, now };
}

interface Enqueued {
  readonly jobs: readonly DeliveryJob[];
  readonly delaySeconds: number;
}

/** What running a job needs, and what it leaves behind. */
export function workshop(fate: Fate, { now, ...overrides }: Partial<RunDeps> = {}) {
  const forgotten: string[] = [];
  const retries: Enqueued[] = [];
  const slow: Enqueued[] = [];
  const dead: { job: DeliveryJob; reason: string }[] = [];
  const { got, ...posts } = postsThat(fate, now);
  const deps: RunDeps = {
    ...posts,
    forget: async (connectionId) => void forgotten.push(connectionId),
    deliveryQueue: { enqueue: async (jobs, delaySeconds) => void retries.push({ jobs, delaySeconds }) },
    slowQueue: { enqueue: async (jobs, delaySeconds) => void slow.push({ jobs, delaySeconds }) },
    deadLetters: { bury: async (body, reason) => void dead.push({ job: decodeJob(body), reason }) },
    attemptsMax: 3,
    random: () => 0.5,
    ...overrides,
  };
  return { deps, got, forgotten, retries, slow, dead };
}

/** So large that every message is a frame of its own. */
const filling = 'x'.repeat(33_000);
export const message = (name: string, expiresAtMs?: number) => ({
  json: JSON.stringify({ message: name, filling }),
  ...(expiresAtMs !== undefined && { expiresAtMs }),
});
const shards = [{ pattern: parsePattern('news'), shard: 0 }];
export const job = (connectionIds: string[], messages = ['1'], attempt = 1): DeliveryJob => ({
  group: 'news',
  messages: messages.map((name) => message(name)),
  connectionIds,
  shards,
  attempt,
});
