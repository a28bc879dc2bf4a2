import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { resourceTypes } from '../../infra/local/services.ts';
import { type Resource, readStack } from '../../infra/local/stack/stack.ts';
import { synthesise } from '../../infra/local/stack/synth.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { encodeJob } from '../../shared/queues/job.ts';
import { type Bench, median, type Row, round, type Target } from './bench.ts';
import type { ColdStart } from './cold-start/call.ts';
import { install } from './install.ts';

/** Fresh processes of each Lambda. */
const ROUNDS = 9;
const USUAL = 'usual';
const WORKERS = new Set(['fanout', 'deliver', 'sweep']);
const APP = join(import.meta.dirname, '../../infra/app.ts');
const DIRECTORY = join(import.meta.dirname, 'cold-start');
/** Packages that Fanwire does without. */
const USUAL_PACKAGE = join(import.meta.dirname, 'usual');
/** In what a Lambda returns. `unknown_action` is what the default route is for. */
const FAILED = /"statusCode":[45]|\\"type\\":\\"error\\"(?!.*unknown_action)|"itemIdentifier"/;
const ID = 'L0SM9cOFvHcCIhw=';
/** What the authorizer has said of the connection. */
const BEARER = {
  rights: JSON.stringify({ '*': ['subscribe', 'publish', 'history'], '/users/*': ['send'] }),
};

const frames: Readonly<Record<string, object>> = {
  subscribe: { action: 'subscribe', topic: 'a/b', id: '1' },
  unsubscribe: { action: 'unsubscribe', topic: 'a/b', id: '1' },
  history: { action: 'history', topic: 'chat/b', id: '1' },
  publish: { action: 'publish', topic: 'a/b', data: 1, id: '1' },
  send: { action: 'send', to: { userId: 'alice' }, data: 1, id: '1' },
  [USUAL]: { action: 'subscribe', topic: 'a/b', id: '1' },
};

const jobs = () =>
  encodeJob({
    group: 'a/b',
    topic: parseTopic('a/b'),
    messages: [{ json: '{"topic":"a/b","data":1,"messageId":"m"}' }],
    connectionIds: [ID],
    shards: [],
    attempt: 1,
  });

const publication = () =>
  JSON.stringify({
    id: 'e',
    source: 'bench',
    time: new Date().toISOString(),
    'detail-type': 'fanwire.publish',
    detail: { topic: 'a/b', data: 1 },
  });

const batch = (bodies: readonly string[]): object => ({
  Records: bodies.map((body, index) => ({
    messageId: String(index),
    body,
    attributes: { ApproximateReceiveCount: '1', SentTimestamp: String(Date.now()) },
    messageAttributes: {},
  })),
});

function eventOf(service: string): object {
  if (service === 'deliver') return batch(jobs());
  if (service === 'fanout') return batch([publication()]);
  return {
    requestContext: {
      connectionId: ID,
      routeKey: service,
      requestId: 'r',
      connectedAt: Date.now(),
      requestTimeEpoch: Date.now(),
      authorizer: BEARER,
    },
    headers: {},
    body: JSON.stringify(frames[service] ?? { action: service, id: '1' }),
  };
}

/** Its code and its variables, both as they are deployed. */
interface Lambda {
  readonly service: string;
  readonly directory: string;
  readonly variables: NodeJS.ProcessEnv;
}

async function lambdasOf(app: string, directory: string, port: number): Promise<Lambda[]> {
  const { stackName: name, ...assembly } = await synthesise(app, directory);
  const endpoint = `http://127.0.0.1:${port}`;
  const account = { region: 'us-east-1', accountId: '000000000000' };
  const stack = readStack({ ...assembly, types: resourceTypes, name, ...account, endpoint });
  return stack.ofType('AWS::Lambda::Function').map((resource) => ({
    service: serviceOf(resource),
    directory: stack.codeDirectory(resource.logicalId),
    variables: variablesOf(resource, endpoint),
  }));
}

/** `Fanwire/Fanwire/Subscribe/Function/Resource` is the service `subscribe`. */
function serviceOf({ path = '' }: Resource): string {
  const id = path.split('/').at(-3) ?? '';
  return id === 'DefaultRoute' ? 'default' : id.toLowerCase();
}

const variablesOf = ({ properties }: Resource, endpoint: string): NodeJS.ProcessEnv => ({
  ...(properties.Environment as { Variables?: NodeJS.ProcessEnv } | undefined)?.Variables,
  PATH: process.env.PATH,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_SESSION_TOKEN: 'local',
  AWS_ENDPOINT_URL: endpoint,
});

async function startCold({ service, directory, variables }: Lambda, looksOn: boolean): Promise<ColdStart> {
  const env = { ...variables, LAMBDA_TASK_ROOT: directory };
  const child = fork(join(DIRECTORY, 'call.ts'), { env, execArgv: [], silent: true });
  const printed = outputOf(child);
  const file = pathToFileURL(join(directory, 'index.mjs')).href;
  child.send({ file, event: eventOf(service), looksOn });
  const [answer] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])]);
  const { coldStart, result } = (answer ?? {}) as { coldStart?: ColdStart; result?: unknown };
  if (!coldStart || FAILED.test(JSON.stringify(result))) {
    throw new Error(`expected ${service} to handle its event, got ${JSON.stringify(result)}:\n${printed()}`);
  }
  return coldStart;
}

function outputOf(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return () => output;
}

/** Called as our route `subscribe` is. */
function bundleUsual(directory: string, variables: NodeJS.ProcessEnv): Lambda {
  buildSync({
    entryPoints: [join(USUAL_PACKAGE, 'route.js')],
    outfile: join(directory, 'index.mjs'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return { service: USUAL, directory, variables };
}

const bytesIn = (directory: string): number =>
  readdirSync(directory).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
const kilobytes = (bytes: number): number => round(bytes / 1000, 0);

interface Measured {
  readonly service: string;
  readonly totalKb: number;
  readonly loadedKb: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

async function measure(lambdas: readonly Lambda[]): Promise<Measured[]> {
  const runs = lambdas.map((lambda) => ({ lambda, starts: [] as ColdStart[] }));
  for (let number = 0; number < ROUNDS; number++) {
    for (const { lambda, starts } of runs) starts.push(await startCold(lambda, false));
  }
  const measured: Measured[] = [];
  for (const { lambda, starts } of runs) {
    const { loadedBytes } = await startCold(lambda, true);
    measured.push({
      service: lambda.service,
      totalKb: kilobytes(bytesIn(lambda.directory)),
      loadedKb: kilobytes(loadedBytes),
      cpuMs: median(starts.map(({ cpuMs }) => cpuMs)),
      wallMs: median(starts.map(({ wallMs }) => wallMs)),
    });
  }
  return measured;
}

/** By processor time: a small Lambda has a fraction of a core, so that is what its start takes. */
function targetsOf(measured: readonly Measured[]): Target[] {
  const of = (name: string) => measured.find(({ service }) => service === name);
  const usualMs = of(USUAL)?.cpuMs ?? Number.NaN;
  const ours = measured.filter(({ service }) => service !== USUAL);
  const slowest = ours.reduce((a, b) => (a.cpuMs > b.cpuMs ? a : b));
  const routes = ours.filter(({ service }) => !WORKERS.has(service));
  return [
    {
      name: `cold start of the slowest Lambda, ${slowest.service}, beside the usual one (ratio)`,
      value: round(slowest.cpuMs / usualMs, 2),
      atMost: 0.8,
    },
    {
      name: 'cold start of deliver beside the usual one (ratio)',
      value: round((of('deliver')?.cpuMs ?? Number.NaN) / usualMs, 2),
      atMost: 0.5,
    },
    {
      name: 'largest bundle of a route (KB)',
      value: Math.max(...routes.map(({ totalKb }) => totalKb)),
      atMost: 400,
    },
    {
      name: 'what deliver loads for a delivery (KB)',
      value: of('deliver')?.loadedKb ?? Number.NaN,
      atMost: 360,
    },
  ];
}

const toRow = ({ cpuMs, wallMs, ...rest }: Measured): Row => ({
  ...rest,
  cpuMs: round(cpuMs),
  wallMs: round(wallMs),
});

/** Every Lambda in a fresh process: import and first call, against an endpoint that answers at once. */
export const bench: Bench = {
  title: 'Cold starts, beside the bundle that is usual',
  async run() {
    await install(USUAL_PACKAGE);
    using running = new DisposableStack();
    const directory = mkdtempSync(join(tmpdir(), 'fanwire-bench-'));
    running.defer(() => rmSync(directory, { recursive: true, force: true }));
    const endpoint = fork(join(DIRECTORY, 'endpoint.ts'), { execArgv: [] });
    running.defer(() => void endpoint.kill());
    const [port] = (await once(endpoint, 'message')) as [number];
    const lambdas = await lambdasOf(APP, join(directory, 'assembly'), port);
    const subscribe = lambdas.find(({ service }) => service === 'subscribe');
    const usual = bundleUsual(join(directory, USUAL), subscribe?.variables ?? {});
    const measured = await measure([usual, ...lambdas]);
    return { rows: measured.map(toRow), targets: targetsOf(measured) };
  },
};
