import type { Limit } from '../limit.ts';
import { createPacker, type Frames } from './frames.ts';
import type { DeliveryJob } from './job.ts';
import { type Lane, laneOf, type Pace } from './pace.ts';
import type { Post } from './post.ts';

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

type Job = Pick<DeliveryJob, 'topic' | 'epoch' | 'type' | 'messages' | 'connectionIds'>;

/**
 * Posts every message to every connection: to one connection one frame after the other, to many at the same time.
 * Starts no post at or after `stopAtMs`.
 */
export async function deliver(job: Job, deps: DeliverDeps, stopAtMs: number): Promise<Delivery> {
  const round = new Round(job, deps, stopAtMs);
  const serving: Promise<void>[] = [];
  deps.pace.expect(round.lane, job.connectionIds.length);
  for (const [index, connectionId] of job.connectionIds.entries()) {
    const rest = () => job.connectionIds.slice(index).map((connectionId) => ({ connectionId, from: 0 }));
    const turn = round.hasTurn(rest);
    if (turn !== true && !(await turn)) break;
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
  readonly lane: Lane;
  readonly #deps: DeliverDeps;
  readonly #stopAtMs: number;
  readonly #pack: (nowMs: number) => Frames;

  constructor(job: Job, deps: DeliverDeps, stopAtMs: number) {
    this.lane = laneOf(job.connectionIds.length);
    this.#deps = deps;
    this.#stopAtMs = stopAtMs;
    this.#pack = createPacker(job);
  }

  /** Waits for a post's turn if it has to; if there is none, notes whom that leaves without. */
  hasTurn(rest: () => readonly Unreached[]): true | Promise<boolean> {
    const turn = this.#deps.pace.turn(this.lane, this.#stopAtMs);
    return turn === true || this.#awaitTurn(turn, rest);
  }

  async #awaitTurn(turn: false | Promise<boolean>, rest: () => readonly Unreached[]): Promise<boolean> {
    const { pace } = this.#deps;
    try {
      if (await turn) return true;
      this.unreached.push(...rest());
    } catch (error) {
      this.failed.push(...rest().map((each) => ({ ...each, reason: String(error) })));
    }
    pace.expect(this.lane, -rest().length);
    return false;
  }

  /** Leaves what the connection has entered. */
  async serve(connectionId: string): Promise<void> {
    try {
      await this.#serve(connectionId);
    } finally {
      this.#deps.inFlight.leave();
    }
  }

  async #serve(connectionId: string): Promise<void> {
    const { pace, now } = this.#deps;
    const { frames, expired } = this.#pack(now());
    this.expired += expired;
    for (const [index, { bytes, from }] of frames.entries()) {
      if (index > 0) {
        pace.expect(this.lane, 1);
        if (!(await this.hasTurn(() => [{ connectionId, from }]))) return;
      }
      // What comes after a failed frame waits for its retry, or it would arrive first.
      if (!(await this.#post(connectionId, bytes, from))) return;
    }
    if (frames.length > 0) this.delivered += 1;
  }

  async #post(connectionId: string, bytes: Uint8Array, from: number): Promise<boolean> {
    const { post, pace } = this.#deps;
    const result = await post(connectionId, bytes);
    pace.answered(result.outcome === 'throttled');
    if (result.outcome === 'delivered') return true;
    if (result.outcome === 'gone') {
      this.gone.push(connectionId);
      return false;
    }
    if (result.outcome === 'throttled') this.throttled += 1;
    this.failed.push({ connectionId, from, reason: result.reason });
    return false;
  }
}
