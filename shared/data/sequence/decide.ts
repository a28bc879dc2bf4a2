import type { HistoryNamespace } from '../../protocol/namespaces.ts';
import type { Log, LogEntry, Logs } from '../log.ts';

/** What deciding an offset needs. */
export interface DecideDeps {
  readonly log: Log;
  readonly namespace: HistoryNamespace;
  readonly logs: Pick<Logs, 'write' | 'entry'>;
}

/** An offset that is this worker's to decide. */
export interface OwnOffset {
  readonly offset: number;
  readonly atMs: number;
  /** When the offset below was allocated, if this worker has allocated this one. */
  readonly previousAtMs?: number;
}

/** What was written there; if nothing was, a tombstone, and then whoever claimed the offset has to take another. */
export const readOrRefuse = async (tombstone: LogEntry, deps: DecideDeps): Promise<LogEntry | undefined> =>
  (await deps.logs.entry(deps.log, tombstone.offset)) ?? writeFirst(tombstone, deps);

/** What an offset holds for good: this entry, or the one that was written there before it. */
export const writeFirst = async (entry: LogEntry, deps: DecideDeps): Promise<LogEntry | undefined> =>
  (await write(entry, deps)) ? entry : deps.logs.entry(deps.log, entry.offset);

export const write = (entry: LogEntry, { log, logs, namespace }: DecideDeps): Promise<boolean> =>
  logs.write(log, entry, namespace.history.seconds);
