import { readdirSync, readFileSync } from 'node:fs';

/** `USER_HZ`, which Linux fixes for whoever reads /proc. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/** Seconds of processor time that a process and its descendants have taken; NaN where there is no /proc. */
export function processorSeconds(pids: readonly number[]): number {
  const stats = readStats();
  if (stats.size === 0) return Number.NaN;
  let ticks = 0;
  for (const [pid, stat] of stats) if (descends(pid, pids, stats)) ticks += stat.ticks;
  return ticks / TICKS_PER_SECOND;
}

function descends(pid: number, ancestors: readonly number[], stats: ReadonlyMap<number, Stat>): boolean {
  for (let at = pid; stats.has(at); at = stats.get(at)?.parent ?? 0) if (ancestors.includes(at)) return true;
  return false;
}

function readStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const name of listProcesses()) {
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command before them, in parentheses, may hold anything (proc_pid_stat(5)).
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      stats.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error; // it has ended
    }
  }
  return stats;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
