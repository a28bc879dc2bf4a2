import type { DatabaseSync } from 'node:sqlite';
import { bootedAtSeconds, isMarkMissed, MarkFile } from '../state/mark.ts';

/**
 * Counts the transactions of a database, each with what it writes, for the database's mark: SQLite leaves out what is
 * damaged in its log, and all that comes after it, and does not say so; and of a file that is gone it begins another.
 */
export class Tally {
  /** What was answered in an earlier run may be missing. Until `account` that stays so. */
  readonly hasLostWrites: boolean;
  readonly #markFile: string;
  readonly #booted: number;
  readonly #changes: () => number;
  readonly #add: () => number;
  #mark: MarkFile | undefined;
  /** Transactions that are on disk. */
  #writes: number;

  constructor(db: DatabaseSync, markFile: string, booted = bootedAtSeconds()) {
    db.exec(
      'CREATE TABLE IF NOT EXISTS fanwire_tally (id INTEGER PRIMARY KEY CHECK (id = 0), writes INTEGER NOT NULL)',
    );
    db.exec('INSERT OR IGNORE INTO fanwire_tally VALUES (0, 0)');
    const changes = db.prepare('SELECT total_changes() AS number');
    const add = db.prepare('UPDATE fanwire_tally SET writes = writes + 1 RETURNING writes AS number');
    const read = db.prepare('SELECT writes AS number FROM fanwire_tally');
    this.#changes = () => Number(changes.get()?.number);
    this.#add = () => Number(add.get()?.number);
    this.#writes = Number(read.get()?.number);
    this.#markFile = markFile;
    this.#booted = booted;
    this.hasLostWrites = isMarkMissed(markFile, this.#writes, booted);
  }

  /** Rows written so far, also those of transactions that failed. */
  get changes(): number {
    return this.#changes();
  }

  /** From now on what is lost is noticed. */
  account(): void {
    this.#mark = new MarkFile(this.#markFile, this.#booted, this.#writes);
  }

  /** The last step of a transaction, with what `changes` were before its first. One that has only looked does not count. */
  count(before: number): number {
    return this.#changes() === before ? this.#writes : this.#add();
  }

  /** The transaction is on disk, with what `count` has answered. */
  confirm(writes: number): void {
    if (writes !== this.#writes) this.#mark?.set(writes);
    this.#writes = writes;
  }

  /** Once the database is closed. */
  close(): void {
    this.#mark?.close(this.#writes);
  }
}
