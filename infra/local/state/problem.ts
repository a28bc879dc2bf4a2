/** What is wrong with the state on disk, and what to do. */
class StateProblem extends Error {}

/** What is true of a directory that cannot be used, and what to do, from the error of LevelDB, SQLite or the file system. */
export function stateProblem(what: string, dataDir: string, error: unknown): Error {
  if (error instanceof StateProblem) return error;
  const { code, message } = innermost(error);
  const say = (text: string): Error => new StateProblem(text, { cause: error });
  if (code === 'EISDIR') return say(`expected ${what} to be a file, got a directory: remove it`);
  if (IN_USE.has(code)) {
    return say(
      `${dataDir} is in use by another Fanwire: stop that one, or choose another directory with --data`,
    );
  }
  if (UNUSABLE.has(code)) {
    return say(
      `expected a directory that can be written, got ${dataDir} (${message}): choose another with --data`,
    );
  }
  return say(`${what} in ${dataDir} cannot be read (${message}): remove that directory to start afresh`);
}

/** Of LevelDB, and of SQLite by number (https://sqlite.org/rescode.html). */
const IN_USE: ReadonlySet<unknown> = new Set(['LEVEL_LOCKED', 5]);
const UNUSABLE: ReadonlySet<unknown> = new Set([
  ...['LEVEL_IO_ERROR', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST', 'ENOENT'],
  ...[3, 8, 10, 13, 14],
]);
/** Extended codes of SQLite have the primary one in their lowest byte. */
const PRIMARY = 0xff;

function innermost(error: unknown): { readonly code: unknown; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  if (error.cause instanceof Error) return innermost(error.cause);
  const { code, errcode, message } = error as NodeJS.ErrnoException & { readonly errcode?: number };
  return { code: errcode === undefined ? code : errcode & PRIMARY, message };
}
