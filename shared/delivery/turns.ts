/** Takes `spanMs` of the shared schedule and answers with its start; undefined means ask again later. */
type TakeSpan = (spanMs: number) => Promise<number | undefined>;

interface TurnsDeps {
  readonly take: TakeSpan;
  /** Time between two posts at the present pace. */
  readonly intervalMs: () => number;
  readonly now: () => number;
  readonly random: () => number;
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
  /** How much earlier than its time a turn may be used. */
  readonly aheadMs: number;
  /** A turn not taken within this time is lost: turns saved up would make a burst. */
  readonly lateMs: number;
  /** How long a lease may be. */
  readonly leaseMs: number;
  /** How long to wait, at most, before a schedule is asked again that has been full several times. */
  readonly busyMsMax: number;
}

/** Short, so that many workers fit side by side into the schedule; long enough that asking costs next to nothing. */
export const LEASE_MS = 50;
/** A lease that ended longer ago says nothing about how large the next should be. */
const RECENT_MS = 100;
/** How long to wait, at most, before the schedule is asked again; each time that it is full again, twice as long. */
export const BUSY_MS = 200;
/** Timers are no finer: a turn that comes this soon is taken at once. */
const GRAIN_MS = 2;

interface Lease {
  readonly size: number;
  readonly intervalMs: number;
  nextMs: number;
  left: number;
}

/** Turns of one worker: leases parts of the shared schedule, as much as it expects to use, and hands them out. */
export class Turns {
  readonly #deps: TurnsDeps;
  #lease: Lease = { size: 0, intervalMs: 0, nextMs: 0, left: 0 };
  #following: Promise<Lease | undefined> | undefined;
  /** Posts announced that have had no turn yet. */
  #wanted = 0;
  /** Turns of the present lease that were lost. */
  #lost = 0;
  /** How long to wait when the schedule is full. */
  #busyMs = BUSY_MS;
  /** Whoever wants a turn while it is full waits for the same. */
  #pause: Promise<void> | undefined;

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  announce(posts: number): void {
    this.#wanted += posts;
  }

  /** False if the turn would come at or after `stopAtMs`. Not always a promise: one for every post would be slow. */
  takeTurn(stopAtMs: number): boolean | Promise<boolean> {
    if (this.#deps.now() >= stopAtMs) return false;
    const atMs = this.#next();
    return atMs === undefined ? this.#turnOfNextLease(stopAtMs) : this.#use(atMs, stopAtMs);
  }

  async #turnOfNextLease(stopAtMs: number): Promise<boolean> {
    const { now } = this.#deps;
    while (now() < stopAtMs) {
      await this.#pause;
      if (!(await this.#renew())) this.#pause ??= this.#waitWhileFull();
      const atMs = now() < stopAtMs ? this.#next() : undefined;
      if (atMs !== undefined) return this.#use(atMs, stopAtMs);
    }
    return false;
  }

  async #waitWhileFull(): Promise<void> {
    const { wait, random, busyMsMax } = this.#deps;
    const pauseMs = this.#busyMs * (0.5 + random() / 2);
    this.#busyMs = Math.min(busyMsMax, 2 * this.#busyMs);
    await wait(pauseMs);
    this.#pause = undefined;
  }

  #use(atMs: number, stopAtMs: number): boolean | Promise<boolean> {
    const { now, wait, aheadMs } = this.#deps;
    const nowMs = now();
    const waitMs = atMs - aheadMs - nowMs;
    if (nowMs + waitMs >= stopAtMs) return false;
    this.#wanted -= 1;
    return waitMs > GRAIN_MS ? wait(waitMs).then(() => true) : true;
  }

  /** The time of the next turn of the lease, if it has one left. */
  #next(): number | undefined {
    const lease = this.#lease;
    const { intervalMs } = lease;
    const lost = Math.floor((this.#deps.now() - this.#deps.lateMs - lease.nextMs) / intervalMs);
    if (lost > 0) {
      const skipped = Math.min(lost, lease.left);
      lease.left -= skipped;
      lease.nextMs += skipped * intervalMs;
      this.#lost += skipped;
    }
    if (lease.left === 0) return undefined;
    const atMs = lease.nextMs;
    lease.left -= 1;
    lease.nextMs += intervalMs;
    // The next lease is asked for while this one lasts, or the schedule would have a hole; this turn is still wanted.
    if (lease.left <= lease.size / 2 && this.#wanted - 1 > lease.left) this.#ask();
    return atMs;
  }

  /** Makes the next lease the present one: false if the schedule has none now. */
  async #renew(): Promise<boolean> {
    const following = this.#ask();
    try {
      const lease = await following;
      // Several posts may have waited for it: the first of them puts it in place.
      if (lease && this.#following === following) {
        this.#lease = lease;
        this.#lost = 0;
        this.#busyMs = BUSY_MS;
      }
      return lease !== undefined;
    } finally {
      if (this.#following === following) this.#following = undefined;
    }
  }

  #ask(): Promise<Lease | undefined> {
    if (this.#following) return this.#following;
    const intervalMs = this.#deps.intervalMs();
    const size = this.#size(intervalMs);
    const following = this.#deps
      .take(size * intervalMs)
      .then((startMs) =>
        startMs === undefined ? undefined : { size, intervalMs, nextMs: startMs, left: size },
      );
    // Asked for ahead of need, it may fail before anything awaits it: the error is thrown where the lease is needed.
    following.catch(() => {});
    this.#following = following;
    return following;
  }

  /**
   * How many turns to ask for: as many as are wanted. A worker that uses up one lease after the other asks for twice
   * as many, so that many small deliveries cost few requests, but for no more than can be taken before they are lost;
   * one that loses turns asks for fewer.
   */
  #size(intervalMs: number): number {
    const { size, left, nextMs } = this.#lease;
    const isRecent = this.#deps.now() - nextMs < RECENT_MS;
    // The turns left are all wanted: a lease with turns to spare asks for no other.
    const usual = this.#lost > 0 ? size - this.#lost : 2 * size;
    const ahead = isRecent ? Math.min(usual, Math.floor(this.#deps.lateMs / intervalMs)) : 0;
    const max = Math.max(1, Math.floor(this.#deps.leaseMs / intervalMs));
    return Math.min(max, Math.max(1, this.#wanted - left, ahead));
  }
}
