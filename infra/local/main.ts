import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stop as stopCompiler } from 'esbuild';
import { loadPage } from '../web/files.ts';
import { UNLIMITED } from './apigateway/throttle.ts';
import { liftBudget } from './fanwire/budget.ts';
import { parseOrigin } from './http/origins.ts';
import type { LatencyOptions } from './latency/latencies.ts';
import { isProfileName, PROFILES } from './latency/profiles.ts';
import { toTerminalLine } from './log.ts';
import { whenOrphaned } from './parent.ts';
import type { Ready } from './ready.ts';
import { boot, type Runtime } from './runtime.ts';
import { synthesise } from './stack/synth.ts';
import { makeDirectory } from './state/directory.ts';
import { ReadyFile } from './state/ready-file.ts';
import { makeCodeDirectory } from './state/temporary.ts';

// Lambda's clock is UTC; a worker thread cannot have a time zone of its own.
process.env.TZ = 'UTC';

const DEMO_APP = join(import.meta.dirname, '../app.ts');

const USAGE = `npm start -- [options]
  --port N            port for everything (4566; 0 picks a free one)
  --data DIR          where state is kept (.fanwire)
  --ephemeral         keep no state
  --app FILE          CDK app to run (infra/app.ts)
  --allow-origin URL  let pages of another origin, or another Host, in (https://app.example.com); may be repeated
  --ready-file FILE   there while everything serves: JSON with URLs, names and credentials
  --faults            let PUT /_fanwire/faults make things go wrong
  --latency aws[:N]   everything takes as long as on AWS; N is the seed of its dice (1)
  --no-throttle       lift the throttles of an account, and Fanwire's own budget of requests, for measurements
  --quiet             print nothing but errors
  --help`;

const { values: options } = parse();

function parse() {
  try {
    return parseArgs({
      options: {
        port: { type: 'string', default: '4566' },
        data: { type: 'string', default: '.fanwire' },
        ephemeral: { type: 'boolean', default: false },
        app: { type: 'string', default: DEMO_APP },
        'allow-origin': { type: 'string', multiple: true, default: [] },
        'ready-file': { type: 'string' },
        faults: { type: 'boolean', default: false },
        latency: { type: 'string' },
        'no-throttle': { type: 'boolean', default: false },
        quiet: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    fail(`expected --port to be a number from 0 to 65535, got ${text}`);
  return port;
}

function parseLatency(text: string): LatencyOptions {
  const [profile = '', seed = '1', ...rest] = text.split(':');
  if (rest.length > 0 || !isProfileName(profile) || !/^\d{1,9}$/.test(seed)) {
    const profiles = Object.keys(PROFILES).join(', ');
    fail(`expected --latency to be one of ${profiles}, perhaps with a colon and a seed, got ${text}`);
  }
  return { profile, seed: Number(seed) };
}

/** As an option has it; not as a URL, whose path would be ignored. */
function parseAllowedOrigin(text: string): string {
  const origin = parseOrigin(text);
  if (origin !== undefined) return origin;
  fail(`expected --allow-origin to be an origin like https://app.example.com, got ${text}`);
}

async function run(): Promise<void> {
  stopOnSignals();
  const port = parsePort(options.port);
  const allowedOrigins = options['allow-origin'].map(parseAllowedOrigin);
  const latency = options.latency === undefined ? undefined : parseLatency(options.latency);
  readyFile = options['ready-file'] === undefined ? undefined : new ReadyFile(options['ready-file']);
  const dataDir = options.ephemeral ? undefined : resolve(options.data);
  // The template is made afresh each time, so it is no state; functions load their code from it while they run.
  const assemblyDir = makeCodeDirectory();
  const app = resolve(options.app);
  const [assembly, files] = await Promise.all([synthesise(app, assemblyDir), loadPage()]);
  await stopCompiler(); // its process would stay
  if (!options.quiet) for (const line of assembly.annotations) console.error(line);
  runtime = await boot({
    assembly: options['no-throttle'] ? { ...assembly, template: liftBudget(assembly.template) } : assembly,
    restoreCode: () => synthesiseAgain(app, assemblyDir),
    files,
    allowedOrigins,
    port,
    log: (source, line) => {
      const text = toTerminalLine(source, line);
      if (text !== undefined) console.error(text);
    },
    ...(dataDir !== undefined && { dataDir }),
    ...(options.faults && { faults: { faults: [] } }),
    ...(latency && { latency }),
    ...(options['no-throttle'] && { limits: UNLIMITED }),
  });
  readyFile?.write(JSON.stringify(runtime.ready, undefined, 2));
  if (!options.quiet) console.log(welcome(runtime.ready, dataDir));
}

/** For code that somebody has deleted, with the rest of the temporary folder perhaps. */
async function synthesiseAgain(app: string, directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  makeDirectory(directory);
  await synthesise(app, directory);
}

function welcome({ websocketUrl, consoleUrl, endpoint }: Ready, dataDir: string | undefined): string {
  return `
  Fanwire is running.

  WebSocket   ${websocketUrl}
  Page        ${consoleUrl}
  Endpoint    ${endpoint}  (AWS_ENDPOINT_URL for every AWS SDK)
  State       ${dataDir ?? 'none is kept'}

  Try it:     npx wscat -c ${websocketUrl}
${suggestions()
  .map((line) => `              ${line}\n`)
  .join('')}
  Ctrl-C stops it.
`;
}

/** What anybody may do there. Of other apps only their authors know. */
const suggestions = (): readonly string[] =>
  resolve(options.app) === DEMO_APP
    ? [
        '{"action":"subscribe","topic":"chat/lobby"}',
        '{"action":"publish","topic":"chat/lobby","data":"hello"}',
      ]
    : ['{"action":"whoami"}', 'Who may connect, and do what, is in the setting auth of the app.'];

/** What stops the system in order; before it runs, there is nothing to be stopped. */
let runtime: Runtime | undefined;
let readyFile: ReadyFile | undefined;
let isStopping = false;

function stop(): void {
  if (isStopping || !runtime) process.exit(1); // the second signal does not wait
  isStopping = true;
  readyFile?.remove();
  runtime.stop().then(
    () => process.exit(0),
    (error: unknown) => fail(String(error)),
  );
}

function stopOnSignals(): void {
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  // Not all that ends npm reaches what npm runs. Who starts this file by hand may well leave it alone.
  if (process.env.npm_lifecycle_event !== undefined) whenOrphaned(() => isStopping || stop());
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return `Port ${options.port} is taken, perhaps by another Fanwire. Choose one with: npm start -- --port N`;
  }
  return error.message;
}

if (options.help) console.log(USAGE);
else await run().catch((error: unknown) => fail(explain(error)));
