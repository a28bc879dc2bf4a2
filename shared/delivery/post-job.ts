import type { Limit } from '../async.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { createPacker, type Frames } from './frames.ts';
import { type Pace, type Urgency, urgencyOf } from './pace.ts';
import type { Post, PostOutcome } from './post.ts';

/** A connection that did not get everything, and why. */
export interface Failure {
  readonly connectionId: string;
  /** Index of the first message that it did not get. */
  readonly from: number;
  readonly reason: string;
}
/** A connection that there was no time for: nothing has gone wrong with it. */
export type Unreached = Omit<Failure, 'reason'>;

/** What became of the posts of a job. */
export interface JobOutcome {
  /** Connections that have got everything. */
  readonly delivered: number;
  readonly gone: readonly string[];
  readonly failed: readonly Failure[];
  readonly unreached: readonly Unreached[];
  /** Posts that API Gateway answered with 429; they are among the failed. */
  readonly throttled: number;
  /** Messages that were too late, counted once for each connection that did not get them. */
  readonly expired: number;
}
/** What posting a job needs. */
export interface PostJobDeps {
  readonly post: Post;
  /** Posts in flight, of all jobs together: one that hangs holds its own place and nothing else. */
  readonly inFlight: Limit;
  readonly pace: Pace;
  readonly now: () => number;
}

type Job = Pick<DeliveryJob, 'topic' | 'epoch' | 'type' | 'messages' | 'connectionIds' | 'urgency'>;

/**
 * Posts every message to every connection: to one connection one frame after the other, to many at the same time.
 * Starts no post at or after `stopAtMs`.
 */
export async function postJob(job: Job, deps: PostJobDeps, stopAtMs: number): Promise<JobOutcome> {
  const posting = new Posting(job, deps, stopAtMs);
  const serving: Promise<void>[] = [];
  deps.pace.announce(posting.urgency, job.connectionIds.length);
  for (const [index, connectionId] of job.connectionIds.entries()) {
    const turn = posting.takeTurn();
    const rest = () => job.connectionIds.slice(index).map((connectionId) => ({ connectionId, from: 0 }));
    if (turn !== true && !(await posting.waitForTurn(turn, rest))) break;
    const place = deps.inFlight.enter();
    if (place) await place;
    serving.push(posting.serve(connectionId));
  }
  await Promise.all(serving);
  return posting;
}

/** The posts of one job, and what has become of them so far. */
class Posting implements JobOutcome {
  delivered = 0;
  readonly gone: string[] = [];
  readonly failed: Failure[] = [];
  readonly unreached: Unreached[] = [];
  throttled = 0;
  expired = 0;
  readonly urgency: Urgency;
  readonly #deps: PostJobDeps;
  readonly #stopAtMs: number;
  readonly #pack: (nowMs: number) => Frames;

  constructor(job: Job, deps: PostJobDeps, stopAtMs: number) {
    this.urgency = urgencyOf(job);
    this.#deps = deps;
    this.#stopAtMs = stopAtMs;
    this.#pack = createPacker(job);
  }

  takeTurn(): boolean | Promise<boolean> {
    return this.#deps.pace.takeTurn(this.urgency, this.#stopAtMs);
  }

  /** If the turn does not come, `rest` is noted as unreached; if it could not be asked for, as failed. */
  async waitForTurn(turn: boolean | Promise<boolean>, rest: () => readonly Unreached[]): Promise<boolean> {
    const { pace } = this.#deps;
    try {
      if (await turn) return true;
      this.unreached.push(...rest());
    } catch (error) {
      this.failed.push(...rest().map((each) => ({ ...each, reason: String(error) })));
    }
    pace.announce(this.urgency, -rest().length);
    return false;
  }

  /**
   * Posts the frames of one connection, then gives its place in flight back. One function for all of it, because every
   * further one that is awaited would slow down every post.
   */
  async serve(connectionId: string): Promise<void> {
    const { pace, now, post, inFlight } = this.#deps;
    try {
      const { frames, expired } = this.#pack(now());
      this.expired += expired;
      for (const { bytes, from } of frames) {
        if (from !== frames[0]?.from) {
          pace.announce(this.urgency, 1);
          if (!(await this.waitForTurn(this.takeTurn(), () => [{ connectionId, from }]))) return;
        }
        // The frames after a failed one are left to its retry: posted now, they would arrive before it.
        if (!this.#note(await post(connectionId, bytes), { connectionId, from })) return;
      }
      if (frames.length > 0) this.delivered += 1;
    } finally {
      inFlight.leave();
    }
  }

  /** True if the frame was delivered, so that the connection's next one may follow. */
  #note(result: PostOutcome, whom: Unreached): boolean {
    this.#deps.pace.noteAnswer(result.outcome === 'throttled');
    if (result.outcome === 'delivered') return true;
    if (result.outcome === 'gone') {
      this.gone.push(whom.connectionId);
      return false;
    }
    if (result.outcome === 'throttled') this.throttled += 1;
    this.failed.push({ ...whom, reason: result.reason });
    return false;
  }
}
