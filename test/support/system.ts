import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ready } from '../../infra/local/ready.ts';
import type { Assembly } from '../../infra/local/stack/synth.ts';
import { DEMO_APP, OPEN_APP } from './apps.ts';
import { assemblyOf } from './assemblies.ts';

const ROOT = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** What `npm start` runs: Node's options and a file. */
const [, ...START] = String(scripts.start).split(' ');
const SYNTHESISED = join(import.meta.dirname, '../apps/synthesised.ts');

export interface SystemOptions {
  /** Where state is kept; without it none is. */
  readonly dataDir?: string;
  readonly app?: string;
  /** The app is synthesised as with every start, and not once for all tests. */
  readonly afresh?: boolean;
  /** Lets tests make things go wrong. */
  readonly faults?: boolean;
  /** `aws` or `aws:SEED`: everything takes as long as there. */
  readonly latency?: string;
  /** Lifts the throttles of an account, for measurements. */
  readonly unthrottled?: boolean;
}

export interface System {
  readonly ready: Ready;
  readonly pid: number;
  /** What the process has printed so far. */
  readonly output: () => string;
  /** As Ctrl-C does. */
  stop(): Promise<void>;
  /** As `kill -9` does. */
  kill(): Promise<void>;
}

/** Runs `npm start`, with an app that has been synthesised if there is one. */
export const spawnMain = (args: readonly string[], assembly?: Assembly) =>
  spawn(process.execPath, [...START, ...args, ...(assembly ? ['--app', SYNTHESISED] : [])], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(assembly && { FANWIRE_TEST_ASSEMBLY: assembly.directory }) },
  });

/** Starts the whole system as `npm start` does, as a process of its own on a free port. */
export async function startSystem({
  dataDir,
  app = OPEN_APP,
  afresh,
  faults,
  latency = process.env.FANWIRE_TEST_LATENCY,
  unthrottled,
}: SystemOptions = {}): Promise<System> {
  const assembly = afresh ? undefined : await assemblyOf(app);
  const directory = mkdtempSync(join(tmpdir(), 'fanwire-test-'));
  const readyFile = join(directory, 'ready.json');
  const child = spawnMain(
    [
      ...['--port', '0', '--ready-file', readyFile],
      ...(dataDir === undefined ? ['--ephemeral'] : ['--data', dataDir]),
      ...(assembly || app === DEMO_APP ? [] : ['--app', app]),
      ...(faults ? ['--faults'] : []),
      ...(latency ? ['--latency', latency] : []),
      ...(unthrottled ? ['--no-throttle'] : []),
    ],
    assembly,
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.race([
      appears(readyFile, directory),
      exited.then(() => Promise.reject(new Error(`expected the system to start, got:\n${output}`))),
    ]);
    const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as Ready;
    return {
      ready,
      pid: child.pid as number, // it has started
      output: () => output,
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
    };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

async function appears(file: string, directory: string): Promise<void> {
  const watcher = watch(directory);
  try {
    while (!existsSync(file)) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}
