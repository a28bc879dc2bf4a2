import type { Limit } from '../async.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { createPacker, type Frames } from './frames.ts';
import { type Pace, type Urgency, urgencyOf } from './pace.ts';
import type { Patience } from './patience.ts';
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
  /** API Gateway answered with 429. */
  readonly throttled: readonly Failure[];
  /** There was no answer within the grace, or none is expected: a slow job gives them more time. */
  readonly slow: readonly Unreached[];
  readonly unreached: readonly Unreached[];
  /** Messages that were too late, counted once for each connection that did not get them. */
  readonly expired: number;
}
/** What posting a job needs. */
export interface PostJobDeps {
  readonly post: Post;
  /** Posts in flight, of all jobs together: one that hangs holds its own place and nothing else. */
  readonly inFlight: Limit;
  readonly pace: Pace;
  readonly patience: Patience;
  readonly now: () => number;
}

type Job = Pick<
  DeliveryJob,
  'topic' | 'epoch' | 'type' | 'messages' | 'connectionIds' | 'urgency' | 'isSlow'
>;

/**
 * Posts every message to every connection: to one connection one frame after the other, to many at the same time.
 * Connections that do not answer soon are left to a slow job. Starts no post at or after `stopAtMs`.
 */
export async function postJob(job: Job, deps: PostJobDeps, stopAtMs: number): Promise<JobOutcome> {
  const posting = new Posting(job, deps, stopAtMs);
  const serving: Promise<void>[] = [];
  const connectionIds = job.connectionIds.filter((connectionId) => !posting.setAside(connectionId));
  deps.pace.announce(posting.urgency, connectionIds.length);
  for (const [index, connectionId] of connectionIds.entries()) {
    const turn = posting.takeTurn();
    const rest = () => connectionIds.slice(index).map((connectionId) => ({ connectionId, from: 0 }));
    if (turn !== true && !(await posting.waitForTurn(turn, rest))) break;
    const place = deps.inFlight.enter();
    if (place) await place;
    serving.push(posting.serve(connectionId));
  }
  await Promise.all(serving);
  return posting;
}

/**
 * Posts slow jobs: each post has all of `postTimeoutMs`, and those to one connection are made one after the other, over
 * all of the jobs. Once it has not answered, the others that wait for it fail with the same reason and are not posted,
 * so that however many do, they wait once.
 */
export async function postSlowJobs(
  jobs: readonly Job[],
  deps: PostJobDeps,
  stopAtMs: number,
): Promise<JobOutcome[]> {
  const postings = jobs.map((job) => new Posting(job, deps, stopAtMs));
  const posts = jobs.flatMap(({ connectionIds }, index) =>
    connectionIds.map((connectionId) => ({ connectionId, posting: postings[index] })),
  );
  const byConnection = Map.groupBy(posts, ({ connectionId }) => connectionId);
  const serveOne = async ([connectionId, waiting]: [string, typeof posts]) => {
    for (const { posting } of waiting) await posting?.serveSlowly(connectionId);
  };
  await Promise.all([...byConnection].map(serveOne));
  return postings;
}

/** The posts of one job, and what has become of them so far. */
class Posting implements JobOutcome {
  delivered = 0;
  readonly gone: string[] = [];
  readonly failed: Failure[] = [];
  readonly throttled: Failure[] = [];
  readonly slow: Unreached[] = [];
  readonly unreached: Unreached[] = [];
  expired = 0;
  readonly urgency: Urgency;
  readonly #isSlow: boolean;
  readonly #deps: PostJobDeps;
  readonly #stopAtMs: number;
  readonly #pack: (nowMs: number) => Frames;

  constructor(job: Job, deps: PostJobDeps, stopAtMs: number) {
    this.urgency = urgencyOf(job);
    this.#isSlow = job.isSlow ?? false;
    this.#deps = deps;
    this.#stopAtMs = stopAtMs;
    this.#pack = createPacker(job);
  }

  /** True if a post would only wait: the connection is left to a slow job. */
  setAside(connectionId: string): boolean {
    if (!this.#deps.patience.hangs(connectionId)) return false;
    this.slow.push({ connectionId, from: 0 });
    return true;
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
    const { pace, patience, now, post, inFlight } = this.#deps;
    try {
      const { frames, expired } = this.#pack(now());
      this.expired += expired;
      const timeoutMs = this.#isSlow ? patience.postTimeoutMs : patience.graceMs(connectionId);
      for (const { bytes, from } of frames) {
        if (from !== frames[0]?.from) {
          pace.announce(this.urgency, 1);
          if (!(await this.waitForTurn(this.takeTurn(), () => [{ connectionId, from }]))) return;
        }
        const postedAtMs = now();
        const result = await post(connectionId, bytes, timeoutMs);
        // The frames after a failed one are left to its retry: posted now, they would arrive before it.
        if (!this.#note(result, { connectionId, from }, now() - postedAtMs)) return;
      }
      if (frames.length > 0) this.delivered += 1;
    } finally {
      inFlight.leave();
    }
  }

  /** Posts the frames of one connection of a slow job, unless it has just left another post without an answer. */
  async serveSlowly(connectionId: string): Promise<void> {
    const { pace, patience, now, inFlight } = this.#deps;
    const reason = patience.whyUnanswered(connectionId);
    const [first] = this.#pack(now()).frames;
    if (reason !== undefined && first) {
      this.failed.push({ connectionId, from: first.from, reason });
      return;
    }
    // Where all posts in flight hang, the turn after this may come too late: then it is not posted.
    await inFlight.enter();
    pace.announce(this.urgency, 1);
    if (await this.waitForTurn(this.takeTurn(), () => [{ connectionId, from: 0 }])) {
      return this.serve(connectionId);
    }
    inFlight.leave();
  }

  /** True if the frame was delivered, so that the connection's next one may follow. */
  #note(result: PostOutcome, whom: Unreached, tookMs: number): boolean {
    const { pace, patience } = this.#deps;
    const { outcome } = result;
    pace.noteAnswer(outcome === 'throttled');
    // Slow connections say nothing of the others, and an error nothing of how long an answer takes.
    if (!this.#isSlow && outcome !== 'unanswered' && outcome !== 'failed') patience.noteAnswer(tookMs);
    if (outcome === 'delivered') return true;
    if (outcome === 'gone') this.gone.push(whom.connectionId);
    else if (outcome === 'unanswered') this.#noteUnanswered(whom, result.reason);
    else this[outcome].push({ ...whom, reason: result.reason });
    return false;
  }

  #noteUnanswered(whom: Unreached, reason: string): void {
    const { patience } = this.#deps;
    if (this.#isSlow) {
      patience.noteUnanswered(whom.connectionId, reason);
      this.failed.push({ ...whom, reason });
    } else {
      patience.noteExcess(whom.connectionId);
      this.slow.push(whom);
    }
  }
}
