import { randomBytes, randomInt } from 'node:crypto';
import { devNull } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from './account.ts';
import { Gateway, type GatewayDeps, type GatewaySettings } from './apigateway/gateway.ts';
import { createHttpApi, type HttpApiDeps } from './apigateway/http/api.ts';
import { pathOfApi } from './apigateway/http/place.ts';
import { httpApiSettings } from './apigateway/http/resources.ts';
import { gatewaySettings } from './apigateway/resources.ts';
import { executeApi } from './apigateway/rights.ts';
import { type AccountLimits, Throttle } from './apigateway/throttle.ts';
import { type Clock, systemClock } from './clock.ts';
import { type AccessKey, createAccessKey, keepAccessKey, type SessionCredentials } from './credentials.ts';
import { tableDefinitions } from './dynamodb/resources.ts';
import { dynamodb } from './dynamodb/rights.ts';
import { Tables, type TablesOptions } from './dynamodb/tables.ts';
import { Buses, type BusesOptions } from './eventbridge/buses.ts';
import { busNames, DEFAULT_BUS, ruleDefinitions } from './eventbridge/resources.ts';
import { events } from './eventbridge/rights.ts';
import { endLogs } from './fanwire/epochs.ts';
import { FAULTS_PATH, FaultControl } from './faults/control.ts';
import type { FaultSet } from './faults/fault.ts';
import { Faults } from './faults/faults.ts';
import type { HttpEngine } from './http/engine.ts';
import type { File } from './http/files.ts';
import { Origins } from './http/origins.ts';
import { LocalServer } from './http/server.ts';
import type { AccessHooks } from './iam/access.ts';
import { Iam } from './iam/iam.ts';
import type { NearServer } from './lambda/environment.ts';
import { Functions } from './lambda/functions.ts';
import { startMapping } from './lambda/mapping.ts';
import { functionSettings, mappingSettings } from './lambda/resources.ts';
import { WAITING } from './lambda/scale.ts';
import { type LatencyOptions, withLatencies } from './latency/latencies.ts';
import { USAGE_PATH, UsageControl } from './meter/control.ts';
import { createMeter } from './meter/create.ts';
import type { Meter } from './meter/meter.ts';
import { describeReady, type Ready } from './ready.ts';
import { scheduleSettings } from './scheduler/resources.ts';
import { startSchedule } from './scheduler/schedule.ts';
import { secretDefinitions } from './secretsmanager/resources.ts';
import { secretsManager } from './secretsmanager/rights.ts';
import { Secrets } from './secretsmanager/secrets.ts';
import { grantsIn, guardedServices, resourceTypes } from './services.ts';
import { Queues, type QueuesOptions } from './sqs/queues.ts';
import { queueDefinitions } from './sqs/resources.ts';
import { sqs } from './sqs/rights.ts';
import { Names } from './stack/names.ts';
import { readStack, type Stack } from './stack/stack.ts';
import type { Assembly } from './stack/synth.ts';
import { isStoreMissing } from './state/mark.ts';

/** What AWS tooling for local endpoints expects. */
const ACCOUNT: Account = { region: 'us-east-1', accountId: '000000000000' };

const LOST_WRITES =
  'something that was written is missing, or may be: what is kept is from an older copy, was damaged or cut short, or ' +
  'was in use when the machine went down. Topics with history begin a new epoch, so that clients are told what they ' +
  'cannot recover';

/** How long a stop waits for invocations that are running. */
const STOP_GRACE_MS = 5_000;

export interface RuntimeOptions extends AccessHooks {
  readonly assembly: Assembly;
  /** Makes the assembly again, in its place: somebody has deleted the code of a function. */
  readonly restoreCode?: () => Promise<void>;
  /** 0 takes a free one. */
  readonly port: number;
  /** Where state is kept. Without it, it is gone when the runtime stops. */
  readonly dataDir?: string;
  readonly files: ReadonlyMap<string, File>;
  /** Of pages that may use the system, beside those of this machine. */
  readonly allowedOrigins?: readonly string[];
  /** Gets what functions print, and what engines have to say. */
  readonly log: (source: string, line: string) => void;
  readonly clock?: Clock;
  /** What goes wrong to begin with. Without it nothing can be made to go wrong. */
  readonly faults?: FaultSet;
  /** How much longer than on this machine everything takes. */
  readonly latency?: LatencyOptions;
  /** What API Gateway's throttles let through, for tests; AWS's defaults for what is left out. */
  readonly limits?: Partial<AccountLimits>;
}

export interface Runtime {
  readonly ready: Ready;
  /** Credentials to act with as a function of that role would. */
  assumeRole(roleArn: string, sessionName: string, expiresAtMs?: number): SessionCredentials;
  /** Takes nothing new, closes every connection, waits for what is running. */
  stop(): Promise<void>;
}

/** Boots a synthesised template: from here on it behaves as if it had been deployed. */
export async function boot(options: RuntimeOptions): Promise<Runtime> {
  // Stops in the opposite order: nothing is stopped while something that needs it still runs.
  const running = new AsyncDisposableStack();
  try {
    return { ...(await start(options, running)), stop: () => running.disposeAsync() };
  } catch (error) {
    await running.disposeAsync();
    throw error;
  }
}

async function start(options: RuntimeOptions, running: AsyncDisposableStack): Promise<Omit<Runtime, 'stop'>> {
  const { log, dataDir, clock = systemClock, restoreCode } = options;
  const server = new LocalServer(
    (error) => log('server', String(error)),
    new Origins(options.allowedOrigins),
  );
  const port = await server.listen(options.port);
  running.defer(() => server.close());
  const endpoint = `http://localhost:${port}`;
  const stack = read(options, endpoint);
  const names = Names.of(stack, [{ type: 'AWS::Events::EventBus', physicalName: DEFAULT_BUS }]);
  const faults = options.faults && new Faults(options.faults, names, (line) => log('faults', line));
  const scale = options.latency && WAITING;
  const ports = options.latency ? withLatencies(options.latency, faults) : faults;

  const credentials = dataDir === undefined ? createAccessKey() : keepAccessKey(dataDir);
  const iam = openIam(stack, credentials, options);
  const { guard, callers } = iam;

  const meter = createMeter(stack, names, clock);
  const tables = await openTables(stack, {
    ...{ clock, dataDir, faults: ports?.tables, meter },
    log: (line) => log('tables', line),
  });
  running.defer(() => tables.close());
  const queues = openQueues(stack, {
    ...{ dataDir, faults: ports?.queues, meter },
    log: (line) => log('queues', line),
  });
  running.defer(() => queues.close());
  await accountFor({ tables, queues }, stack, options);
  const secretsOptions = { ...ACCOUNT, dataDir, clock, randomInt, meter };
  const secrets = new Secrets(secretsOptions, secretDefinitions(stack));
  const near: NearServer = { port, plugIn: (messages) => server.plugIn(messages) };
  const functions = new Functions(
    functionSettings(stack, (functionArn) => variables(port, iam.credentialsOf(functionArn))),
    { clock, log: callers.ofLogs(log), faults: faults?.functions, meter, server: near, scale, restoreCode },
  );
  running.defer(() => functions.close());
  const invoke = callers.ofLambda(functions.invoke);
  const buses = openBuses(stack, {
    queues,
    invoke,
    clock,
    rights: callers.ofBuses(),
    log: (line) => log('bus', line),
    faults: ports?.buses,
    meter,
  });
  running.defer(() => buses.close());
  const stages = gatewaySettings(stack, ACCOUNT);
  const ofApis = {
    invoke: callers.ofGateways(invoke),
    clock,
    randomBytes,
    throttle: new Throttle(clock, options.limits),
  };
  const gateways = openGateways(stages, {
    ...ofApis,
    prepare: functions.prepare,
    admit: guard.of(executeApi),
    log: (line) => log('gateway', line),
    faults: ports?.gateway,
    meter,
  });
  running.defer(async () => void (await Promise.all([...gateways.values()].map((each) => each.close()))));

  const ready = describeReady({
    ...{ stack, names, gateways: stages, endpoint, credentials },
    region: ACCOUNT.region,
  });
  const { secretAccessKey: _, ...health } = ready;
  const engines = {
    [dynamodb.target]: guard.before(dynamodb, tables),
    [sqs.target]: guard.before(sqs, queues),
    [events.target]: guard.before(events, buses),
    [secretsManager.target]: guard.before(secretsManager, secrets),
  };
  server.serve({
    gateways,
    httpApis: openHttpApis(stack, ofApis),
    engines: new Map(Object.entries(engines)),
    serviceNames: guardedServices.map(({ name }) => name),
    files: options.files,
    health,
    controls: new Map<string, HttpEngine>([
      [USAGE_PATH, new UsageControl(meter)],
      ...(faults ? ([[FAULTS_PATH, new FaultControl(faults)]] as const) : []),
    ]),
    faults: faults?.callers,
  });

  // Last, because they start to work at once.
  for (const mapping of mappingSettings(stack)) {
    queues.releaseInFlight(mapping.queueArn);
    const deps = {
      queues: callers.ofMapping(mapping, queues),
      invoke,
      whenFree: functions.whenFree,
      scale,
      clock,
      log: (line: string) => log('mapping', line),
    };
    running.defer(inTime(startMapping(mapping, deps).stop));
  }
  for (const schedule of scheduleSettings(stack)) {
    const deps = {
      invoke: callers.ofSchedule(schedule, invoke),
      clock,
      meter,
      log: (line: string) => log('scheduler', line),
    };
    running.defer(inTime(startSchedule(schedule, deps).stop));
  }
  return { ready, assumeRole: (...session) => iam.assumeRole(...session) };
}

/** Stops without waiting for everything that runs: what is cut off then is still in its queue. */
const inTime = (stop: () => Promise<void>) => () =>
  Promise.race([stop(), delay(STOP_GRACE_MS, undefined, { ref: false })]);

const read = ({ assembly: { stackName, ...assembly } }: RuntimeOptions, endpoint: string): Stack =>
  readStack({ ...assembly, types: resourceTypes, name: stackName, ...ACCOUNT, endpoint });

/** What Lambda adds to a function's own variables so that the AWS SDK works, here with the way to our one port. */
function variables(
  port: number,
  { accessKeyId, secretAccessKey, sessionToken }: SessionCredentials,
): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    // By address: a name would be looked up for every new socket.
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    // The SDK goes where a queue's URL leads anyway, and complains at every call if that is somewhere else.
    AWS_ENDPOINT_URL_SQS: `http://localhost:${port}`,
    // There is no ~/.aws on Lambda; that of this machine's user must not change what functions do.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  };
}

const openIam = (
  stack: Stack,
  credentials: AccessKey,
  { clock = systemClock, log, deny, onUse }: RuntimeOptions,
): Iam =>
  new Iam(stack, {
    ...ACCOUNT,
    credentials,
    services: guardedServices,
    grants: grantsIn,
    clock,
    log: (line) => log('iam', line),
    ...(deny && { deny }),
    ...(onUse && { onUse }),
  });

async function openTables(stack: Stack, options: Omit<TablesOptions, keyof Account>): Promise<Tables> {
  const tables = await Tables.open({ ...ACCOUNT, ...options });
  for (const definition of tableDefinitions(stack)) await tables.create(definition);
  return tables;
}

function openQueues(stack: Stack, options: Omit<QueuesOptions, keyof Account>): Queues {
  const queues = Queues.open({ region: ACCOUNT.region, ...options });
  for (const definition of queueDefinitions(stack)) queues.create(definition);
  return queues;
}

/** What the queues lack was on its way into the tables, or to those who read them: they have one epoch. */
async function accountFor(
  { tables, queues }: { readonly tables: Tables; readonly queues: Queues },
  stack: Stack,
  { dataDir, log }: RuntimeOptions,
): Promise<void> {
  const isMissing = dataDir !== undefined && isStoreMissing(dataDir);
  if (isMissing || tables.hasLostWrites || queues.hasLostWrites) {
    log('state', LOST_WRITES);
    await endLogs(tables, tableDefinitions(stack));
  }
  tables.account();
  queues.account();
}

function openBuses(stack: Stack, options: Omit<BusesOptions, keyof Account>): Buses {
  const buses = new Buses({ ...ACCOUNT, ...options });
  for (const name of busNames(stack)) buses.addBus(name);
  for (const rule of ruleDefinitions(stack)) buses.addRule(rule);
  return buses;
}

/** By the path that each has. */
const openHttpApis = (stack: Stack, deps: HttpApiDeps): Map<string, HttpEngine> =>
  new Map(
    httpApiSettings(stack, ACCOUNT).map((settings) => [
      pathOfApi(settings.apiId),
      createHttpApi(settings, deps),
    ]),
  );

/** By stage: one port has one path for each. */
function openGateways(
  stages: readonly GatewaySettings[],
  { meter, ...deps }: Omit<GatewayDeps, 'meter'> & { readonly meter: Meter },
): Map<string, Gateway> {
  const gateways = new Map<string, Gateway>();
  for (const settings of stages) {
    if (gateways.has(settings.stage)) {
      throw new Error(`expected every stage to have a name of its own, got two named ${settings.stage}`);
    }
    gateways.set(settings.stage, new Gateway(settings, { ...deps, meter: meter.stage(settings.stage) }));
  }
  return gateways;
}
