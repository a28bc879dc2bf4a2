import { chunks } from '../async.ts';
import type { Shard } from '../data/shards.ts';
import { toQueueJson } from '../protocol/json.ts';
import type { Topic } from '../protocol/topic.ts';

/** Messages for connections: each connection gets all of them, in order. A retry is a job of only what failed. */
export interface DeliveryJob {
  /** Jobs of one group, a topic's for instance, cannot starve another's (SQS fair queues: at most 128 characters). */
  readonly group: string;
  /** Absent when the messages were not published to a topic. */
  readonly topic?: Topic;
  /** The epoch of the topic's log, if the topic keeps one: then the messages have offsets. */
  readonly epoch?: string;
  /** The kind of frame, if it is not messages; then each is a frame of its own. */
  readonly type?: 'receipt';
  readonly messages: readonly JobMessage[];
  readonly connectionIds: readonly string[];
  /** Where the subscriptions were found, so that those of a connection that is gone can be deleted. */
  readonly shards: readonly Shard[];
  /** Which try this is, from 1. */
  readonly attempt: number;
  /** Set on what is left of a larger job: by its size alone the rest of a broadcast would be quick. */
  readonly urgency?: 'bulk';
  /** Set on a job that a worker had no time for: when that was so for the first time. */
  readonly waitsSinceMs?: number;
  /** Its connections have left a post without an answer for some time: it goes over the queue of slow jobs. */
  readonly isSlow?: true;
  /** Since when every post was answered with 429, in epoch milliseconds: that uses up no attempt, but only so much time. */
  readonly throttledSinceMs?: number;
}
export interface JobMessage {
  /** A `WireMessage`, written out: it is the same for every connection. */
  readonly json: string;
  /** From then on it is sent to no further connection. */
  readonly expiresAtMs?: number;
}

/** One worker posts a job of this size in a second or two. */
export const JOB_CONNECTIONS_MAX = 500;
/** SQS takes 1 MiB in all; the rest is left for attributes. */
export const JOB_BYTES_MAX = 1_000_000;

/** Something that is written out once for all of its connections. */
export const toJobMessage = (json: string, expiresAtMs?: number): JobMessage => ({
  json,
  ...(expiresAtMs !== undefined && { expiresAtMs }),
});

/** Encodes a job as queue message bodies that each fit: few enough connections, few enough bytes. */
export function encodeJob(job: DeliveryJob): string[] {
  return [...chunks(job.connectionIds, JOB_CONNECTIONS_MAX)].flatMap((connectionIds) =>
    splitMessages({ ...job, connectionIds }),
  );
}

function splitMessages(job: DeliveryJob): string[] {
  const body = toQueueJson(job);
  if (job.messages.length <= 1 || Buffer.byteLength(body) <= JOB_BYTES_MAX) return [body];
  const half = Math.ceil(job.messages.length / 2);
  return [job.messages.slice(0, half), job.messages.slice(half)].flatMap((messages) =>
    splitMessages({ ...job, messages }),
  );
}

/** Only Fanwire writes to the delivery queue, so its shape is trusted. */
export const decodeJob = (body: string): DeliveryJob => JSON.parse(body) as DeliveryJob;

/** Each retry after the first waits up to so much longer than the one before it, but no longer than that. */
const RETRY_STEP_SECONDS = 10;
const RETRY_DELAY_MAX_SECONDS = 30;

/**
 * How long a job waits after an attempt has failed. The first retry is made at once, because most failures are one bad
 * answer. The others wait half to all of 10, 20, 30, 30, … seconds: many then do not come back together, five attempts
 * outlast 30 s of an endpoint that answers nothing but errors, and the next one comes within 30 s of its end.
 */
export function retryDelaySeconds(attempt: number, random: () => number): number {
  return withJitter(Math.min(RETRY_DELAY_MAX_SECONDS, RETRY_STEP_SECONDS * (attempt - 1)), random);
}

/** A connection that hangs, hangs a moment later too. */
export const slowRetryDelaySeconds = (attempt: number, random: () => number): number =>
  retryDelaySeconds(attempt + 1, random);

const THROTTLED_DELAY_MIN_SECONDS = 1;
const THROTTLED_DELAY_MAX_SECONDS = 10;

/** Waits about as long as it has been throttled, so that the pauses grow from 1 to 10 s. */
export function throttledDelaySeconds(throttledMs: number, random: () => number): number {
  const seconds = Math.max(THROTTLED_DELAY_MIN_SECONDS, throttledMs / 1_000);
  return withJitter(Math.min(THROTTLED_DELAY_MAX_SECONDS, seconds), random);
}

/** Equal jitter: half of it to all of it, in whole seconds, as SQS takes them. */
const withJitter = (seconds: number, random: () => number): number =>
  Math.ceil(seconds * (0.5 + random() / 2));
