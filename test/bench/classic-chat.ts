import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { install } from './install.ts';

const DIRECTORY = join(import.meta.dirname, 'serverless-offline');
const SERVES = /\[websocket\] listening/;
const OUTPUT_LINES_MAX = 50;

export interface ClassicChat {
  readonly url: string;
  /** Of its processes, which may have children. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** Starts the chat that everybody begins with, on serverless-offline, with dynalite as its DynamoDB. */
export async function startClassicChat(): Promise<ClassicChat> {
  await install(DIRECTORY);
  const [websocketPort, httpPort, lambdaPort] = await freePorts(3);
  const table = fork(join(DIRECTORY, 'dynamodb.js'), { cwd: DIRECTORY, execArgv: [] });
  const [tablePort] = await once(table, 'message');
  const serverless = spawn(
    process.execPath,
    [
      join(DIRECTORY, 'node_modules/serverless/bin/serverless.js'),
      ...['offline', '--host', '127.0.0.1'],
      ...[
        '--websocketPort',
        `${websocketPort}`,
        '--httpPort',
        `${httpPort}`,
        '--lambdaPort',
        `${lambdaPort}`,
      ],
    ],
    {
      cwd: DIRECTORY,
      env: {
        ...process.env,
        DYNAMODB_ENDPOINT: `http://127.0.0.1:${tablePort}`,
        CALLBACK_URL: `http://127.0.0.1:${websocketPort}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const children = [table, serverless];
  const stop = async () => void (await Promise.all(children.map(end)));
  try {
    await serves(serverless);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `ws://127.0.0.1:${websocketPort}`,
    pids: children.flatMap(({ pid }) => pid ?? []),
    stop,
  };
}

/** Reads to the end what it prints, or it would block. */
async function serves(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const input of [child.stdout, child.stderr]) {
    if (!input) continue;
    createInterface({ input }).on('line', (line) => {
      if (lines.length < OUTPUT_LINES_MAX) lines.push(line);
      if (SERVES.test(line)) resolve();
    });
  }
  child.once('exit', () =>
    reject(new Error(`expected serverless-offline to serve, got:\n${lines.join('\n')}`)),
  );
  await promise;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL'); // it holds nothing, and asked kindly it waits for its connections
  await exited;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => Number((server.address() as { port: number } | null)?.port));
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
