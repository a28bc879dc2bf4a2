export interface Rate {
  readonly perSecond: number;
  /** What may come at once, after a pause long enough. */
  readonly burst: number;
}

/** Tokens are counted in thousandths, so that whole rates and whole milliseconds make whole numbers. */
const TOKEN = 1000;

/** Fills at a steady rate up to its burst, and is full to begin with. The time is given, so it needs no timer. */
export class TokenBucket {
  readonly #rate: Rate;
  #level: number;
  #filledAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#level = rate.burst * TOKEN;
    this.#filledAtMs = nowMs;
  }

  /** Takes a token; false if there is none. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#level < TOKEN) return false;
    this.#level -= TOKEN;
    return true;
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    // A wall clock may be set back: then nothing flows in, and nothing out either.
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#level = Math.min(burst * TOKEN, this.#level + elapsedMs * perSecond);
    this.#filledAtMs = nowMs;
  }
}
