import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startSystem } from '../support/system.ts';
import type { Result } from './ledger.ts';
import { isClean, reportOf } from './report.ts';
import { type LoadSettings, messagesOf } from './settings.ts';

const USAGE = `npm run load -- [options]
  --url URL      ws:// or wss:// URL of the Fanwire to load (default: a local one, started for this run)
  --clients N    each subscribes to one topic and publishes on it (50)
  --topics N     (5)
  --namespace N  of these topics; everybody has to be allowed to subscribe and publish there (load)
  --rate N       messages a second that all clients publish together (50)
  --duration S   seconds of publishing (20)
  --size BYTES   data of each message, as JSON (200)`;

const BOUNDS = {
  clients: [1, 5_000],
  topics: [1, 5_000],
  rate: [1, 10_000],
  duration: [1, 3_600],
  // What a message says of itself takes some 110 bytes; API Gateway takes frames of 32 KB.
  size: [128, 32_000],
} as const;
/** The ledger keeps a byte for each pair of a client and a message. */
const LEDGER_BYTES_MAX = 1_000_000_000;
const CONNECTS_PER_SECOND = 50;
/** For artillery to start, for connects and answers that time out, and for the drain. */
const MARGIN_SECONDS = 150;
const OUTPUT_LENGTH_MAX = 10_000;
const DIRECTORY = import.meta.dirname;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

type Options = Omit<LoadSettings, 'url' | 'runId'> & { readonly url: string | undefined };

async function run({ url, ...load }: Options): Promise<void> {
  await installArtillery();
  if (url === undefined) console.log('Starting a local Fanwire …');
  const system = url === undefined ? await startSystem() : undefined;
  try {
    const target = url ?? system?.ready.websocketUrl ?? '';
    const { clients, topics, rate, sizeBytes, durationSeconds } = load;
    console.log(
      `${clients} clients on ${topics} topics publish ${rate} messages/s of ${sizeBytes} bytes for ${durationSeconds} s at ${target}\n`,
    );
    const result = await runArtillery({ ...load, url: target });
    console.log(reportOf(result, load));
    if (isClean(result)) return;
    process.exitCode = 1;
    if (system) console.error(`\nThe local Fanwire said:\n${system.output().slice(-OUTPUT_LENGTH_MAX)}`);
  } finally {
    await system?.stop();
  }
}

/** artillery is a package of its own, because it brings hundreds of others that nothing else needs. */
async function installArtillery(): Promise<void> {
  const wanted = readJson('package.json').dependencies?.artillery;
  const installed = 'node_modules/artillery/package.json';
  if (existsSync(join(DIRECTORY, installed)) && readJson(installed).version === wanted) return;
  console.log(`Installing artillery ${wanted} in test/load; this happens once and takes about 470 MB …`);
  // npm tells its scripts where it is: as a file to run with Node.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, 'ci']] : ['npm', ['ci']];
  const child = spawn(command, args, { cwd: DIRECTORY, stdio: 'inherit', signal: interrupted.signal });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`expected npm ci in test/load to succeed, got exit code ${code}`);
}

const readJson = (file: string): { version?: string; dependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8'));

async function runArtillery(load: Omit<LoadSettings, 'runId'>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'fanwire-load-'));
  const resultFile = join(directory, 'result.json');
  const connectSeconds = Math.ceil(load.clients / CONNECTS_PER_SECOND);
  const config = {
    target: load.url,
    phases: [{ duration: connectSeconds, arrivalCount: load.clients }],
    variables: {
      load: { ...load, runId: randomBytes(4).toString('hex') } satisfies LoadSettings,
      resultFile,
    },
  };
  const child = spawn(
    process.execPath,
    ['node_modules/artillery/bin/run', 'run', '--overrides', JSON.stringify({ config }), 'script.yml'],
    {
      cwd: DIRECTORY,
      env: { ...process.env, ARTILLERY_DISABLE_TELEMETRY: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: (connectSeconds + load.durationSeconds + MARGIN_SECONDS) * 1000,
      signal: interrupted.signal,
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => (output = (output + chunk).slice(-OUTPUT_LENGTH_MAX)));
  }
  try {
    const [code, signal] = await once(child, 'exit');
    if (existsSync(resultFile)) return JSON.parse(readFileSync(resultFile, 'utf8'));
    throw new Error(`expected artillery to leave a result, got exit code ${code ?? signal} and:\n${output}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Reports every problem at once. */
function readOptions(): Options {
  const values = parse();
  const problems: string[] = [];
  const number = (name: keyof typeof BOUNDS): number => {
    const [min, max] = BOUNDS[name];
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    problems.push(`expected --${name} to be a whole number from ${min} to ${max}, got ${values[name]}`);
    return min;
  };
  const options = {
    url: values.url,
    namespace: values.namespace,
    clients: number('clients'),
    topics: number('topics'),
    rate: number('rate'),
    durationSeconds: number('duration'),
    sizeBytes: number('size'),
  };
  if (options.url !== undefined && !/^wss?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
    problems.push(`expected --url to be a ws:// or wss:// URL, got ${options.url}`);
  }
  const ledgerBytes = options.clients * messagesOf(options);
  if (ledgerBytes > LEDGER_BYTES_MAX) {
    problems.push(`expected clients × rate × duration to be at most ${LEDGER_BYTES_MAX}, got ${ledgerBytes}`);
  }
  if (problems.length > 0) fail(`${problems.join('\n')}\n\n${USAGE}`);
  return options;
}

function parse() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        clients: { type: 'string', default: '50' },
        topics: { type: 'string', default: '5' },
        namespace: { type: 'string', default: 'load' },
        rate: { type: 'string', default: '50' },
        duration: { type: 'string', default: '20' },
        size: { type: 'string', default: '200' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

if (parse().help) console.log(USAGE);
else
  await run(readOptions()).catch((error: unknown) =>
    fail(error instanceof Error ? error.message : String(error)),
  );
