import { readFileSync } from 'node:fs';

/** Nothing tells a process that its parent has ended, so this is looked at; a look takes microseconds. */
const LOOK_EVERY_MS = 1_000;

/**
 * Tells once when the process that started this one has ended, or the one before that, where it can be known. npm hands
 * on SIGTERM to the shell that it starts, and some shells (dash) end and leave their child running; when npm itself is
 * killed or hung up, even that shell stays.
 */
export function whenOrphaned(tell: () => void, ancestors: () => string = parents): void {
  const at = ancestors();
  const timer = setInterval(() => {
    if (ancestors() === at) return;
    clearInterval(timer);
    tell();
  }, LOOK_EVERY_MS);
  timer.unref();
}

/** The ids of parent and grandparent. */
function parents(): string {
  const { ppid } = process;
  return `${ppid} ${parentOf(ppid)}`;
}

/** From Linux, whose shells are the ones that stay. Elsewhere nothing. */
function parentOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1'); // see proc_pid_stat(5); a name may hold spaces
    return stat.slice(stat.lastIndexOf(')')).split(' ')[2] ?? '';
  } catch {
    return ''; // no Linux, or it has just ended
  }
}
