import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { stateProblem } from './problem.ts';

/**
 * How far a store had come, kept in a file beside it: `BOOTED WRITES STATE`, of a fixed length, overwritten in place.
 * The store counts its writes, each with the write itself; the mark says how many of them have been answered. So a start
 * knows whether the store has lost what it had promised:
 *
 * - It has fewer writes than the mark says: it was restored from an older copy, or cut short.
 * - It was in use when the machine went down: the last writes, and those of the mark, may never have reached the disk.
 * - Its mark is gone, or both are and those of the other store are there.
 *
 * SQLite reads its log up to the first damage, and so has fewer writes; LevelDB reads on behind it, so somebody has to
 * look before it does (`dynamodb/leveldb/inspect.ts`). What is damaged elsewhere is not lost but wrong, and no state to
 * start with: LevelDB's blocks have checksums, and so have the bodies of messages (`sqs/fauxqs.ts`).
 *
 * What none of this shows is a copy that is older, mark and all: of the directory, or of one store and its mark.
 */
export interface Mark {
  /** When the machine was started that wrote it, in seconds since the epoch. */
  readonly bootedAtSeconds: number;
  readonly writes: number;
  /** Closed, and all of it on disk. */
  readonly isClosed: boolean;
}

const FORM = /^(\d{12}) (\d{16}) (open {2}|closed)\n$/;
const LENGTH = 37;
/** The clock of a machine is set right now and then, so this time is not always the same. */
const SAME_BOOT_SECONDS = 60;

/** By the stores of a data directory. */
export const markFilesIn = (dataDir: string) => ({
  tables: join(dataDir, 'dynamodb.mark'),
  queues: join(dataDir, 'fauxqs.mark'),
});

/** Whether one of the stores has been taken away as a whole: they have their marks from the same moment on. */
export const isStoreMissing = (dataDir: string): boolean =>
  new Set(Object.values(markFilesIn(dataDir)).map(existsSync)).size > 1;

export const bootedAtSeconds = (): number => Math.round(Date.now() / 1000 - uptime());

/** Nothing if there is none, `damaged` if it is no mark. */
export function readMark(file: string): Mark | 'damaged' | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw stateProblem(file, dirname(file), error);
  }
  const [, booted, writes, state] = FORM.exec(text) ?? [];
  if (state === undefined) return 'damaged';
  return { bootedAtSeconds: Number(booted), writes: Number(writes), isClosed: state === 'closed' };
}

/** Whether a store with so many writes may lack some that were answered. */
export function hasLostWrites(mark: Mark | 'damaged' | undefined, writes: number, booted: number): boolean {
  if (mark === undefined) return writes > 0; // somebody took it away; a store that never had one has counted nothing
  if (mark === 'damaged' || writes < mark.writes) return true;
  return !mark.isClosed && Math.abs(mark.bootedAtSeconds - booted) > SAME_BOOT_SECONDS;
}

/** Whether the store beside a mark may lack what was answered. If so, it stays so until there is another mark. */
export function isMarkMissed(file: string, writes: number, booted: number): boolean {
  const isMissed = hasLostWrites(readMark(file), writes, booted);
  if (isMissed) spoilMark(file);
  return isMissed;
}

/** What the store writes before it has another mark must not make it look as if it had reached this one. */
export const spoilMark = (file: string): void =>
  writeFileSync(file, 'missed\n', { mode: 0o600, flush: true });

export class MarkFile {
  readonly #fd: number;
  readonly #booted: string;

  /** From now on the store counts as open. That is on disk when this returns, so a power cut does not hide it. */
  constructor(file: string, booted: number, writes: number) {
    this.#fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#booted = String(booted).padStart(12, '0');
    this.set(writes);
    ftruncateSync(this.#fd, LENGTH);
    fsyncSync(this.#fd);
  }

  /** In the page cache when this returns, so a process that is killed has told it. */
  set(writes: number): void {
    this.#write(writes, 'open  ');
  }

  close(writes: number): void {
    this.#write(writes, 'closed');
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #write(writes: number, state: string): void {
    writeSync(this.#fd, `${this.#booted} ${String(writes).padStart(16, '0')} ${state}\n`, 0, 'latin1');
  }
}
