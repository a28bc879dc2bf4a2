import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A process that works on nothing but what it is told: its processor time is that of the task. */
export function startChild(path: string, env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return fork(path, { execArgv: [], env });
}

/** Its answer to a task, the only one that it gives. */
export async function ask<T>(child: ChildProcess, task: object | string): Promise<T> {
  child.send(task);
  const failed = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`expected an answer to ${JSON.stringify(task)}, got exit code ${code}`)),
  );
  const [answer] = await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => {}); // it has answered: its end is no failure
  return answer as T;
}
