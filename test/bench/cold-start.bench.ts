import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { resourceTypes } from '../../infra/local/services.ts';
import { type Resource, readStack } from '../../infra/local/stack/stack.ts';
import { synthesise } from '../../infra/local/stack/synth.ts';
import { grant } from '../../shared/auth/grants.ts';
import { SETTINGS_FILES } from '../../shared/lambda/variables.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { encodeJob } from '../../shared/queues/job.ts';
import { signingKey } from '../support/issuer.ts';
import { type Bench, median, type Row, round, type Target } from './bench.ts';
import type { ColdStart } from './cold-start/call.ts';
import { issuerAt } from './cold-start/issuer.ts';
import { install } from './install.ts';

/** Fresh processes of each Lambda. */
const ROUNDS = 9;
const USUAL = 'usual';
const WORKERS = new Set(['fanout', 'deliver', 'close', 'sweep']);
const APP = join(import.meta.dirname, '../../infra/app.ts');
const GUARDED_APP = join(import.meta.dirname, '../apps/members.ts');
/** What verifies tokens, each with its kind of token. */
const VERIFIERS = {
  grant: 'authorize a grant',
  identity: 'authorize an identity',
  renewal: 'authenticate',
} as const;
const AUDIENCE = 'bench';
const DIRECTORY = join(import.meta.dirname, 'cold-start');
/** Packages that Fanwire does without. */
const USUAL_PACKAGE = join(import.meta.dirname, 'usual');
/** In what a Lambda returns. `unknown_action` is what the default route is for. */
const FAILED =
  /"statusCode":[45]|\\"type\\":\\"error\\"(?!.*unknown_action)|"itemIdentifier"|"Effect":"Deny"/;
const ID = 'L0SM9cOFvHcCIhw=';
/** What the authorizer has said of the connection. */
const BEARER = {
  userId: 'alice',
  rights: JSON.stringify({ '*': ['subscribe', 'publish', 'history'], '/users/*': ['send'] }),
};
const KEY = signingKey('key', 'RS256');
const SECRET = 'secret'.padEnd(64, '.');

const frames: Record<string, object> = {
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
  if (service === 'close') return batch([JSON.stringify({ connectionIds: [ID] })]);
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

/** Its code and its variables, both as they are deployed, and what it is called with first. */
interface Lambda {
  readonly service: string;
  readonly directory: string;
  readonly variables: NodeJS.ProcessEnv;
  readonly event: object;
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
    event: eventOf(serviceOf(resource)),
  }));
}

/** What verifies tokens, with a token. Neither the secret nor the issuer's keys are known to it yet. */
async function verifiersOf(directory: string, port: number): Promise<Lambda[]> {
  const lambdas = await lambdasOf(GUARDED_APP, directory, port);
  const [authorize, authenticate] = ['authorize', 'authenticate'].map((name) =>
    lambdas.find(({ service }) => service === name),
  );
  if (!authorize || !authenticate) throw new Error(`expected two that verify in ${GUARDED_APP}, got fewer`);
  const issuer = issuerAt(port);
  const auth = {
    issuers: [{ issuer, audience: AUDIENCE }],
    grants: true,
    rights: { 'chat/*': ['subscribe'] },
  };
  for (const each of [authorize, authenticate]) {
    writeFileSync(join(each.directory, SETTINGS_FILES.AUTH), JSON.stringify(auth));
  }
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: AUDIENCE, sub: 'alice', iat: seconds, exp: seconds + 3_600 };
  const granted = grant(
    { userId: 'alice', rights: { 'team/*': ['subscribe'] }, expiresIn: 3_600 },
    { secret: SECRET, audience: String(authorize.variables.CALLBACK_URL) },
  );
  const token = await granted;
  frames[VERIFIERS.renewal] = { action: 'authenticate', token, id: '1' };
  return [
    { ...authorize, service: VERIFIERS.grant, event: handshakeWith(token) },
    { ...authorize, service: VERIFIERS.identity, event: handshakeWith(KEY.sign(claims)) },
    { ...authenticate, event: eventOf(VERIFIERS.renewal) },
  ];
}

const handshakeWith = (token: string): object => ({
  ...eventOf('$connect'),
  methodArn: 'arn',
  multiValueHeaders: { 'Sec-WebSocket-Protocol': [`fanwire, bearer.${token}`] },
});

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

async function startCold(
  { service, directory, variables, event }: Lambda,
  looksOn: boolean,
): Promise<ColdStart> {
  const env = { ...variables, LAMBDA_TASK_ROOT: directory };
  const child = fork(join(DIRECTORY, 'call.ts'), { env, execArgv: [], silent: true });
  const printed = outputOf(child);
  const file = pathToFileURL(join(directory, 'index.mjs')).href;
  child.send({ file, event, looksOn });
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
  return { service: USUAL, directory, variables, event: eventOf(USUAL) };
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
    ...Object.values(VERIFIERS).map((name) => ({
      name: `cold start of ${name} beside the usual one (ratio)`,
      value: round((of(name)?.cpuMs ?? Number.NaN) / usualMs, 2),
      atMost: 0.8,
    })),
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
    const env = { ...process.env, JWKS: JSON.stringify({ keys: [KEY.jwk] }), SECRET };
    const endpoint = fork(join(DIRECTORY, 'endpoint.ts'), { execArgv: [], env });
    running.defer(() => void endpoint.kill());
    const [port] = (await once(endpoint, 'message')) as [number];
    const all = await lambdasOf(APP, join(directory, 'assembly'), port);
    // It has a token to verify below.
    const lambdas = all.filter(({ service }) => service !== VERIFIERS.renewal);
    const subscribe = lambdas.find(({ service }) => service === 'subscribe');
    const usual = bundleUsual(join(directory, USUAL), subscribe?.variables ?? {});
    const verifiers = await verifiersOf(join(directory, 'guarded'), port);
    const measured = await measure([usual, ...lambdas, ...verifiers]);
    return { rows: measured.map(toRow), targets: targetsOf(measured) };
  },
};
