import { randomBytes } from 'node:crypto';
import { devNull } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Buses } from './bus/buses.ts';
import { type Clock, systemClock } from './clock.ts';
import { createCredentials, keepCredentials } from './credentials.ts';
import { Gateway, type GatewaySettings, type ManagementFault } from './gateway/gateway.ts';
import type { Invoke } from './invoke.ts';
import { Functions } from './lambda/functions.ts';
import { startMapping } from './mapping.ts';
import { Queues } from './queues.ts';
import { describeReady, type Ready } from './ready.ts';
import {
  busNames,
  functionSettings,
  gatewaySettings,
  mappingSettings,
  queueDefinitions,
  ruleDefinitions,
  scheduleSettings,
  tableDefinitions,
} from './resources.ts';
import { startSchedule } from './schedule.ts';
import { type File, LocalServer } from './server.ts';
import type { Assembly } from './synth.ts';
import { Tables } from './tables.ts';
import { readStack, type Stack } from './template.ts';

const REGION = 'us-east-1';
/** What AWS tooling for local endpoints expects. */
const ACCOUNT_ID = '000000000000';

/** How long a stop waits for invocations that are running. */
const STOP_GRACE_MS = 5_000;

export interface RuntimeOptions {
  readonly assembly: Assembly;
  /** 0 takes a free one. */
  readonly port: number;
  /** Where state is kept. Without it, it is gone when the runtime stops. */
  readonly dataDir?: string;
  readonly files: ReadonlyMap<string, File>;
  /** Gets what functions print, and what engines have to say. */
  readonly log: (source: string, line: string) => void;
  readonly clock?: Clock;
  /** Makes calls to @connections fail, for tests. */
  readonly fault?: (method: string, connectionId: string) => ManagementFault | undefined;
}

export interface Runtime {
  readonly ready: Ready;
  /** Takes nothing new, closes every connection, waits for what is running. */
  stop(): Promise<void>;
}

/** Boots a synthesised template: from here on it behaves as if it had been deployed. */
export async function boot(options: RuntimeOptions): Promise<Runtime> {
  // Stops in the opposite order: nothing is stopped while something that needs it still runs.
  const running = new AsyncDisposableStack();
  try {
    const ready = await start(options, running);
    return { ready, stop: () => running.disposeAsync() };
  } catch (error) {
    await running.disposeAsync();
    throw error;
  }
}

async function start(options: RuntimeOptions, running: AsyncDisposableStack): Promise<Ready> {
  const { log, dataDir, clock = systemClock } = options;
  const server = new LocalServer((error) => log('server', String(error)));
  const port = await server.listen(options.port);
  running.defer(() => server.close());
  const endpoint = `http://localhost:${port}`;
  const stack = read(options, endpoint);

  const tables = await openTables(stack, clock, dataDir);
  running.defer(() => tables.close());
  const queues = openQueues(stack, dataDir);
  running.defer(() => queues.close());
  const functions = new Functions(
    functionSettings(stack, () => variables(port)),
    { clock, log },
  );
  running.defer(() => functions.close());
  const { invoke } = functions;
  const buses = openBuses(stack, queues, invoke, options);
  running.defer(() => buses.close());
  const stages = gatewaySettings(stack, { region: REGION, accountId: ACCOUNT_ID });
  const gateways = openGateways(stages, invoke, options);
  running.defer(async () => void (await Promise.all([...gateways.values()].map((each) => each.close()))));

  const credentials = dataDir === undefined ? createCredentials() : keepCredentials(dataDir);
  const ready = describeReady({ stack, gateways: stages, endpoint, region: REGION, credentials });
  const { secretAccessKey: _, ...health } = ready;
  const engines = { DynamoDB_20120810: tables, AmazonSQS: queues, AWSEvents: buses };
  server.serve({ gateways, engines: new Map(Object.entries(engines)), files: options.files, health });

  // Last, because they start to work at once.
  for (const mapping of mappingSettings(stack)) {
    queues.releaseInFlight(mapping.queueArn);
    running.defer(inTime(startMapping(mapping, { queues, invoke, clock }).stop));
  }
  for (const schedule of scheduleSettings(stack)) {
    const deps = { invoke, clock, log: (line: string) => log('scheduler', line) };
    running.defer(inTime(startSchedule(schedule, deps).stop));
  }
  return ready;
}

/** Stops without waiting for everything that runs: what is cut off then is still in its queue. */
const inTime = (stop: () => Promise<void>) => () =>
  Promise.race([stop(), delay(STOP_GRACE_MS, undefined, { ref: false })]);

const read = ({ assembly: { stackName, ...assembly } }: RuntimeOptions, endpoint: string): Stack =>
  readStack({ ...assembly, name: stackName, region: REGION, accountId: ACCOUNT_ID, endpoint });

/** What Lambda adds to a function's own variables so that the AWS SDK works, here with the way to our one port. */
function variables(port: number): Record<string, string> {
  const { accessKeyId, secretAccessKey } = createCredentials();
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    // By address: a name would be looked up for every new socket.
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    // There is no ~/.aws on Lambda; the one of whoever runs this must not change what functions do.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  };
}

async function openTables(stack: Stack, clock: Clock, dataDir: string | undefined): Promise<Tables> {
  const tables = await Tables.open({
    region: REGION,
    accountId: ACCOUNT_ID,
    clock,
    ...(dataDir !== undefined && { dataDir }),
  });
  for (const definition of tableDefinitions(stack)) await tables.create(definition);
  return tables;
}

function openQueues(stack: Stack, dataDir: string | undefined): Queues {
  const queues = Queues.open({ region: REGION, ...(dataDir !== undefined && { dataDir }) });
  for (const definition of queueDefinitions(stack)) queues.create(definition);
  return queues;
}

function openBuses(stack: Stack, queues: Queues, invoke: Invoke, options: RuntimeOptions): Buses {
  const { clock = systemClock, log } = options;
  const place = { region: REGION, accountId: ACCOUNT_ID };
  const buses = new Buses({ ...place, queues, invoke, clock, log: (line) => log('bus', line) });
  for (const name of busNames(stack)) buses.addBus(name);
  for (const rule of ruleDefinitions(stack)) buses.addRule(rule);
  return buses;
}

/** By stage: one port has one path for each. */
function openGateways(
  stages: readonly GatewaySettings[],
  invoke: Invoke,
  { clock = systemClock, fault }: RuntimeOptions,
): Map<string, Gateway> {
  const gateways = new Map<string, Gateway>();
  for (const settings of stages) {
    if (gateways.has(settings.stage)) {
      throw new Error(`expected every stage to have a name of its own, got two named ${settings.stage}`);
    }
    gateways.set(
      settings.stage,
      new Gateway(settings, { invoke, clock, randomBytes, ...(fault && { fault }) }),
    );
  }
  return gateways;
}
