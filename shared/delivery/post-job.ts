import type { Limit } from '../async.ts';
import type { DeliveryJob } from '../queues/job.ts';
import { createPacker, type Frames } from './frames.ts';
import { type Pace, type Urgency, urgencyOf } from './pace.ts';
import type { Post, PostOutcome } from './post.ts';

export interface Failure {
  readonly connectionId: string;
  /** Index of the first message that it did not get. */
  readonly from: number;
  readonly reason: string;
}
/** Whom there was no time to serve; nothing has gone wrong with them. */
export type Unreached = Omit<Failure, 'reason'>;

export interface Delivery {
  /** Connections that have got everything. */
  readonly delivered: number;
  readonly gone: readonly string[];
  readonly failed: readonly Failure[];
  readonly unreached: readonly Unreached[];
  /** Posts that API Gateway answered with 429; they are among the failed. */
  readonly throttled: number;
  /** Messages that came too late, once for each connection that did not get them. */
  readonly expired: number;
}
export interface DeliverDeps {
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
export async function deliver(job: Job, deps: DeliverDeps, stopAtMs: number): Promise<Delivery> {
  const round = new Round(job, deps, stopAtMs);
  const serving: Promise<void>[] = [];
  deps.pace.announce(round.urgency, job.connectionIds.length);
  for (const [index, connectionId] of job.connectionIds.entries()) {
    const turn = round.turn();
    const rest = () => job.connectionIds.slice(index).map((connectionId) => ({ connectionId, from: 0 }));
    if (turn !== true && !(await round.hasCome(turn, rest))) break;
    const place = deps.inFlight.enter();
    if (place) await place;
    serving.push(round.serve(connectionId));
  }
  await Promise.all(serving);
  return round;
}

class Round implements Delivery {
  delivered = 0;
  readonly gone: string[] = [];
  readonly failed: Failure[] = [];
  readonly unreached: Unreached[] = [];
  throttled = 0;
  expired = 0;
  readonly urgency: Urgency;
  readonly #deps: DeliverDeps;
  readonly #stopAtMs: number;
  readonly #pack: (nowMs: number) => Frames;

  constructor(job: Job, deps: DeliverDeps, stopAtMs: number) {
    this.urgency = urgencyOf(job);
    this.#deps = deps;
    this.#stopAtMs = stopAtMs;
    this.#pack = createPacker(job);
  }

  turn(): boolean | Promise<boolean> {
    return this.#deps.pace.takeTurn(this.urgency, this.#stopAtMs);
  }

  /** Waits for a turn; if there is none, notes whom that leaves without. */
  async hasCome(turn: boolean | Promise<boolean>, rest: () => readonly Unreached[]): Promise<boolean> {
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

  /** Leaves what the connection has entered. One function for all of it: each that is awaited would cost every post. */
  async serve(connectionId: string): Promise<void> {
    const { pace, now, post, inFlight } = this.#deps;
    try {
      const { frames, expired } = this.#pack(now());
      this.expired += expired;
      for (const { bytes, from } of frames) {
        if (from !== frames[0]?.from) {
          pace.announce(this.urgency, 1);
          if (!(await this.hasCome(this.turn(), () => [{ connectionId, from }]))) return;
        }
        // What comes after a failed frame waits for its retry, or it would arrive first.
        if (!this.#isDelivered(await post(connectionId, bytes), { connectionId, from })) return;
      }
      if (frames.length > 0) this.delivered += 1;
    } finally {
      inFlight.leave();
    }
  }

  #isDelivered(result: PostOutcome, whom: Unreached): boolean {
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
