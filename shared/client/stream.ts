import { COMING_LOG, type Position } from '../protocol/frames.ts';

/** An offset that has no message for this connection. */
interface Skip extends Position {
  readonly skipped: true;
}
/** An offset that has one. */
interface Placed extends Position {
  readonly skipped?: never;
}

/**
 * Puts the log of one topic back in order: whatever comes, in whatever order and however often, each entry is given
 * out once, in order of offsets, from the position on. It does nothing by itself: when there is a gap, its owner asks
 * the server and tells it what the server said, which is `cover` or `lose`.
 */
export class Stream<M extends Placed> {
  readonly #heldMax: number;
  /** Everything up to here has been given out, was skipped, or was reported as lost. Unknown before the first answer. */
  #position: Position | undefined;
  /** The epoch before this one: what comes late from there is of no use. */
  #past: string | undefined;
  /** Came before what is missing below it: beyond the position, or of another epoch. */
  readonly #held = new Map<string, M | Skip>();
  /** The highest offset known of each epoch. Those that the position has reached are not in it. */
  readonly #newest = new Map<string, number>();

  constructor(heldMax: number) {
    this.#heldMax = heldMax;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether there is something that has not come, or another epoch, which means that the log began anew. */
  get gap(): boolean {
    return this.#position !== undefined && this.#newest.size > 0;
  }

  /** Just below the first entry that could be given out if what is missing below it cannot be had. */
  get beyondGap(): Position | undefined {
    const newest = [...this.#newest].at(-1);
    if (!newest) return undefined;
    const [epoch, offset] = newest;
    const held = [...this.#held.values()].filter((entry) => entry.epoch === epoch);
    return { epoch, offset: Math.min(offset, ...held.map((entry) => entry.offset - 1)) };
  }

  /** There is an entry at this position. */
  saw(position: Position): void {
    if (!this.#isBeyond(position)) return;
    const { epoch, offset } = position;
    this.#newest.set(epoch, Math.max(offset, this.#newest.get(epoch) ?? 0));
  }

  /** A live entry, in no particular order. Gives what can be given out now. */
  add(entry: M | Skip): M[] {
    if (!this.#isBeyond(entry)) return [];
    this.saw(entry);
    const isNext = this.#position !== undefined && keyOf(entry) === keyAfter(this.#position);
    if (isNext || this.#held.size < this.#heldMax) this.#held.set(keyOf(entry), entry);
    return this.#drain();
  }

  /** If the position is before the first entry of a log that was to come: that entry, once it is there, and what follows. */
  begin(): M[] {
    const first = isComing(this.#position) && [...this.#held.values()].find((entry) => entry.offset === 1);
    if (!first) return [];
    this.#past = this.#position?.epoch;
    this.#position = { epoch: first.epoch, offset: 0 };
    return this.#drain();
  }

  /**
   * The server said: these are all that there are after `from`, or from where a replay began, up to `to`. What came
   * live belongs to them even if the server has it no more: it may have been in time then, and too late by now.
   */
  cover(from: Position | undefined, to: Position, entries: readonly (M | Skip)[]): M[] {
    if (this.#position && !isUpTo(from, this.#position)) {
      // Nothing says that they follow on the position, so they are no better than live ones.
      this.saw(to);
      return entries.flatMap((entry) => this.add(entry));
    }
    // Before there is a position, `to` is where the stream begins: what came before the answer may have holes.
    const live = this.#position ? this.#heldUpTo(to) : [];
    const covered = new Map(live.map((entry) => [keyOf(entry), entry]));
    for (const entry of entries) if (this.#isBeyond(entry)) covered.set(keyOf(entry), entry);
    this.#moveTo(this.#isBeyond(to) ? to : (this.#position ?? to));
    const inOrder = [...covered.values()].toSorted((a, b) => a.offset - b.offset);
    return [...inOrder.flatMap((entry) => (entry.skipped ? [] : entry)), ...this.#drain()];
  }

  /**
   * The server said: what came after `from` cannot be had, the log goes on after `to`. Gives what can be given out
   * from there on, or undefined if nothing was lost, because the stream has got further than `from` without it.
   */
  lose(from: Position | undefined, to: Position): M[] | undefined {
    if (this.#position && !isSame(from, this.#position)) {
      this.saw(to);
      return undefined;
    }
    if (from && from.epoch !== to.epoch) this.#past = from.epoch;
    this.#moveTo(to);
    // Whatever else was said to exist is older than the server's word.
    this.#newest.clear();
    for (const entry of this.#held.values()) this.saw(entry);
    return this.#drain();
  }

  /** The server said: nothing comes after this position. Whatever was said to exist there does not. */
  endAt(position: Position): void {
    if (!isSame(position, this.#position)) return;
    this.#held.clear();
    this.#newest.clear();
  }

  #isBeyond({ epoch, offset }: Position): boolean {
    if (epoch === this.#past) return false;
    return this.#position?.epoch !== epoch || offset > this.#position.offset;
  }

  #heldUpTo({ epoch, offset }: Position): (M | Skip)[] {
    return [...this.#held.values()].filter((entry) => entry.epoch === epoch && entry.offset <= offset);
  }

  /** On the server's word, which settles what is to be thought of other epochs, too. */
  #moveTo({ epoch, offset }: Position): void {
    this.#position = { epoch, offset };
    if (isComing(this.#position)) return;
    for (const [key, entry] of this.#held) {
      if (entry.epoch !== epoch || entry.offset <= offset) this.#held.delete(key);
    }
    for (const other of this.#newest.keys()) {
      if (other !== epoch) this.#newest.delete(other);
    }
  }

  /** Moves on over what follows without a gap. */
  #drain(): M[] {
    if (!this.#position) return [];
    const ready: M[] = [];
    for (let next = this.#takeNext(this.#position); next; next = this.#takeNext(this.#position)) {
      this.#position = { epoch: next.epoch, offset: next.offset };
      if (!next.skipped) ready.push(next);
    }
    const { epoch, offset } = this.#position;
    if ((this.#newest.get(epoch) ?? 0) <= offset) this.#newest.delete(epoch);
    return ready;
  }

  #takeNext(position: Position): M | Skip | undefined {
    const key = keyAfter(position);
    const entry = this.#held.get(key);
    this.#held.delete(key);
    return entry;
  }
}

/** Whether the position is in a log that was still to come. */
export const isComing = (position: Position | undefined): boolean | undefined =>
  position?.epoch.startsWith(COMING_LOG);

const keyOf = ({ epoch, offset }: Position): string => `${offset} ${epoch}`;
const keyAfter = ({ epoch, offset }: Position): string => keyOf({ epoch, offset: offset + 1 });

export const isSame = (a: Position | undefined, b: Position | undefined): boolean =>
  a?.epoch === b?.epoch && a?.offset === b?.offset;

const isUpTo = (a: Position | undefined, b: Position): boolean =>
  a !== undefined && a.epoch === b.epoch && a.offset <= b.offset;
