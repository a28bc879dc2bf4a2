import type { Clock } from '../clock.ts';
import { bootedAtSeconds, isMarkMissed, MarkFile } from '../state/mark.ts';
import type { Outage } from '../state/outage.ts';

/** How soon a database that could not be written is opened again. */
const REOPEN_AFTER_MS = 1_000;
/** Below it, how many commits there have been. No key of dynalite is without a `~`. */
const COUNT_KEY = '#commits';

/** dynalite knows it by these words: what it does in a moment, it does in vain then. */
const CLOSED = 'Database is closed';

export interface Write {
  readonly type: 'put' | 'del';
  readonly key: string;
  readonly value?: unknown;
}

/** LevelDB, as far as the writer needs it. */
export interface Database {
  open(): Promise<void>;
  get(key: string): Promise<unknown>;
  batch(writes: readonly Write[], options?: { readonly sync: boolean }): Promise<void>;
  /** Waits for nothing, and may be opened again. */
  close(): Promise<void>;
  /** Whether there is room for what `open` writes. */
  hasRoom(): boolean;
}

export interface WriterOptions {
  readonly markFile: string;
  readonly clock: Clock;
  readonly outage: Outage;
  /** When this machine was started; what a test says instead. */
  readonly bootedAtSeconds?: number;
}

interface Waiting {
  readonly writes: readonly Write[];
  readonly done: (error?: unknown) => void;
}

/** The database cannot be written for now. */
export class UnwritableError extends Error {
  override readonly name = 'UnwritableError';
}

/**
 * Writes to LevelDB, one commit at a time, each with its number. What comes while one is under way goes into the next,
 * so there is an order in which numbers rise, and the mark (`state/mark.ts`) is exact.
 *
 * When a commit fails, LevelDB's log may end in half a record, and what it appended after that would be unreadable: it
 * has to be opened again first, which begins a new log.
 */
export class Writer {
  readonly #db: Database;
  readonly #options: WriterOptions;
  readonly #booted: number;
  #mark: MarkFile | undefined;
  #commits = 0;
  /** Of requests that are under way, so there are no more than of those. */
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;
  #isBroken = false;
  #isClosed = false;
  #reopening: Promise<void> = Promise.resolve();
  #cancelReopen: () => void = () => {};

  constructor(db: Database, options: WriterOptions) {
    this.#db = db;
    this.#options = options;
    this.#booted = options.bootedAtSeconds ?? bootedAtSeconds();
  }

  /** Neither writes nor, while it is opened again, reads. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Answers whether the database may lack something that it had answered. Until `account` that stays so. */
  async open(): Promise<boolean> {
    await this.#db.open();
    this.#commits = Number((await this.#db.get(COUNT_KEY)) ?? 0);
    return isMarkMissed(this.#options.markFile, this.#commits, this.#booted);
  }

  /** From now on what is lost is noticed. */
  account(): void {
    this.#mark = new MarkFile(this.#options.markFile, this.#booted, this.#commits);
  }

  write(writes: readonly Write[], done: (error?: unknown) => void): void {
    if (this.#isClosed) {
      setImmediate(done, new Error(CLOSED));
      return;
    }
    this.#waiting.push({ writes, done });
    this.#working ??= this.#work();
  }

  /** When nothing is being written any more. Not called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelReopen();
    await this.#reopening;
    await this.#working;
    if (this.#isBroken || !this.#mark) return;
    await this.#commit([], { sync: true });
    this.#mark.close(this.#commits);
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const error = await this.#commit(round.flatMap(({ writes }) => writes)).catch((reason) => reason);
      // What follows a write throws where nobody's promise is broken by it.
      for (const { done } of round) setImmediate(done, error);
    }
    this.#working = undefined;
  }

  async #commit(writes: readonly Write[], options?: { readonly sync: boolean }): Promise<void> {
    if (this.#isBroken) throw new UnwritableError('the tables cannot be written');
    const commits = ++this.#commits;
    try {
      await this.#db.batch([...writes, { type: 'put', key: COUNT_KEY, value: commits }], options);
      this.#mark?.set(commits);
      this.#options.outage.end();
    } catch (cause) {
      this.#isBroken = true;
      this.#options.outage.begin(cause);
      this.#reopenSoon();
      throw new UnwritableError('the tables cannot be written', { cause });
    }
  }

  #reopenSoon(): void {
    if (this.#isClosed) return;
    this.#cancelReopen = this.#options.clock.after(REOPEN_AFTER_MS, () => {
      this.#reopening = this.#reopen();
    });
  }

  async #reopen(): Promise<void> {
    try {
      // As long as it is not closed it can be read.
      if (!this.#db.hasRoom()) return this.#reopenSoon();
      await this.#db.close();
      await this.#db.open();
      this.#isBroken = false;
    } catch {
      this.#reopenSoon(); // the outage has been told
    }
  }
}
