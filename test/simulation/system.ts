import { completeSettings } from '../../infra/settings.ts';
import { DELIVERY_BATCH_MAX, SLOW_BATCH_MAX, SLOW_WORKERS_MAX } from '../../infra/sizes.ts';
import { assemble as assembleConnect } from '../../services/connect/assemble.ts';
import { connect } from '../../services/connect/connect.ts';
import { handler as answerUnknown } from '../../services/default/lambda.ts';
import { assemble as assembleDeliver } from '../../services/deliver/assemble.ts';
import { deliverJobs } from '../../services/deliver/deliver-jobs.ts';
import { assemble as assembleDisconnect } from '../../services/disconnect/assemble.ts';
import { disconnect } from '../../services/disconnect/disconnect.ts';
import { assemble as assembleFanOut } from '../../services/fanout/assemble.ts';
import { fanOut } from '../../services/fanout/fan-out.ts';
import { assemble as assembleHistory } from '../../services/history/assemble.ts';
import { history } from '../../services/history/history.ts';
import { assemble as assemblePing } from '../../services/ping/assemble.ts';
import { type PingDeps, ping } from '../../services/ping/ping.ts';
import { assemble as assemblePublish } from '../../services/publish/assemble.ts';
import { publish } from '../../services/publish/publish.ts';
import { assemble as assembleSend } from '../../services/send/assemble.ts';
import { send } from '../../services/send/send.ts';
import { assemble as assembleSubscribe } from '../../services/subscribe/assemble.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { assemble as assembleSweep } from '../../services/sweep/assemble.ts';
import { sweep } from '../../services/sweep/sweep.ts';
import { assemble as assembleUnsubscribe } from '../../services/unsubscribe/assemble.ts';
import { unsubscribe } from '../../services/unsubscribe/unsubscribe.ts';
import { assemble as assembleWhoami } from '../../services/whoami/assemble.ts';
import { whoami } from '../../services/whoami/whoami.ts';
// Loaded here: a delivery loads it late, and to wait for a file is not for virtual time.
import '../../shared/delivery/stores.ts';
import type { ConnectEvent, DisconnectEvent, QueueEvent, QueueResult } from '../../shared/lambda/events.ts';
import { lifecycle } from '../../shared/lambda/lifecycle.ts';
import { route } from '../../shared/lambda/route.ts';
import type { Handler } from '../../shared/lambda/stack.ts';
import { worker } from '../../shared/lambda/worker.ts';
import { Action } from '../../shared/protocol/frames.ts';
import {
  parseBare,
  parseHistory,
  parsePing,
  parsePublish,
  parseSend,
  parseSubscribe,
  parseSubscription,
} from '../../shared/protocol/parse.ts';
import { MemoryDynamoDB, type MemoryOptions } from '../memory/dynamodb.ts';
import { freePace } from '../support/free-pace.ts';
import { Bus } from './bus.ts';
import { type Aws, type Clients, clientsFor, type Watcher } from './clients.ts';
import { AGE_MAX_MS, Gateway } from './gateway.ts';
import { type Environment, LambdaFunction } from './lambda.ts';
import { DeadLetters, Queue } from './queue.ts';
import type { SystemSettings } from './settings.ts';
import type { World } from './world.ts';

/** As in infra/fanwire.ts and infra/workers.ts, which would load the CDK into every thread. */
const ROUTE_TIMEOUT_MS = 10_000;
const WORKER_TIMEOUT_MS = 90_000;
const USUAL = completeSettings({});
/** When a client is asked for its next connection, as a share of the age that it may reach. */
const ROLLOVER_SHARE = (USUAL.rolloverAfterSeconds * 1_000) / AGE_MAX_MS;
/** Wraps what one environment of a function gets: that is how a mutant is planted. */
export type Bend = <D>(functionName: string, deps: D, environment: Environment) => D;
/** The same with what it calls AWS by. */
export type BendClients = (clients: Clients) => Clients;

export interface Bends {
  readonly bend?: Bend;
  readonly bendClients?: BendClients;
}

/** The whole of Fanwire: the service functions, assembled as their entries assemble them, on a simulated AWS. */
export class System implements Aws {
  readonly tables: MemoryDynamoDB;
  readonly gateway: Gateway;
  readonly bus: Bus;
  readonly ingest: Queue;
  readonly delivery: Queue;
  readonly slow: Queue;
  readonly badEvents = new DeadLetters();
  readonly undelivered = new DeadLetters();
  readonly settings: SystemSettings;
  readonly world: World;
  readonly watcher: Watcher;
  readonly #bend: Bend;
  readonly #bendClients: BendClients;
  readonly #functions: LambdaFunction<never, unknown>[] = [];
  readonly #sweep: LambdaFunction<object, void>;

  constructor(
    world: World,
    settings: SystemSettings,
    watcher: Watcher,
    { bend = (_, deps) => deps, bendClients = (clients) => clients }: Bends,
    onWrite: MemoryOptions['onWrite'],
  ) {
    this.world = world;
    this.settings = settings;
    this.watcher = watcher;
    this.#bend = bend;
    this.#bendClients = bendClients;
    this.tables = new MemoryDynamoDB({
      now: () => world.scheduler.nowMs,
      pageItemsMax: settings.pageItemsMax,
      ...(onWrite && { onWrite }),
    });
    const { workersMax, visibilityMs } = settings;
    const fanOutWorker = this.#worker('fanout', (environment) => {
      const deps = this.#assembled('fanout', this.#atItsPace(assembleFanOut), environment);
      return worker((records, stopAtMs) => fanOut(records, deps, stopAtMs), deps);
    });
    const deliverWorker = this.#worker('deliver', (environment) => {
      const deps = this.#assembled('deliver', this.#atItsPace(assembleDeliver), environment);
      return worker((records, stopAtMs) => deliverJobs(records, deps, stopAtMs), deps);
    });
    const { badEvents, undelivered } = this;
    const named = (name: string) => ({ name, url: urlOf(name), visibilityMs });
    const usual = { workersMax, batchMax: DELIVERY_BATCH_MAX };
    const slow = { workersMax: SLOW_WORKERS_MAX, batchMax: SLOW_BATCH_MAX };
    this.ingest = new Queue(world, { ...named('fanout'), ...usual, deadLetters: badEvents }, fanOutWorker);
    this.delivery = new Queue(
      world,
      { ...named('deliver'), ...usual, deadLetters: undelivered },
      deliverWorker,
    );
    this.slow = new Queue(world, { ...named('slow'), ...slow, deadLetters: undelivered }, deliverWorker);
    this.bus = new Bus(world, this.ingest, (event) => watcher.arrived(event));
    this.gateway = new Gateway(world, this.#routes(), settings.ageMaxMs);
    this.#sweep = this.#function('sweep', WORKER_TIMEOUT_MS, (environment) => {
      const deps = this.#assembled('sweep', assembleSweep, environment);
      return async () => void (await sweep(deps));
    });
  }

  /** Nothing that was published is on its way or being worked on. */
  get isQuiet(): boolean {
    return [this.bus, this.ingest, this.delivery, this.slow].every(({ size }) => size === 0);
  }

  queueAt(url: string): Queue {
    const found = [this.ingest, this.delivery, this.slow].find((queue) => queue.url === url);
    if (!found) throw new Error(`expected the URL of a queue, got ${url}`);
    return found;
  }

  async sweep(): Promise<void> {
    await this.#sweep.invoke({});
  }

  /** Ends everything that waits for what will never come. */
  release(): void {
    for (const each of this.#functions) each.release();
  }

  #routes() {
    const of = <D, E, R>(name: string, assemble: Assemble<D>, toHandler: (deps: D) => Handler<E, R>) =>
      this.#function<E, R>(name, ROUTE_TIMEOUT_MS, (environment) =>
        toHandler(this.#assembled(name, assemble, environment)),
      );
    return {
      connect: of('connect', assembleConnect, (deps) =>
        lifecycle((event: ConnectEvent) => connect(event, deps)),
      ),
      disconnect: of('disconnect', assembleDisconnect, (deps) =>
        lifecycle((event: DisconnectEvent) => disconnect(event, deps)),
      ),
      actions: {
        subscribe: of('subscribe', assembleSubscribe, (deps) =>
          route(parseSubscribe, (input) => subscribe(input, deps)),
        ),
        unsubscribe: of('unsubscribe', assembleUnsubscribe, (deps) =>
          route(parseSubscription(Action.unsubscribe), (input) => unsubscribe(input, deps)),
        ),
        publish: of('publish', assemblePublish, (deps) =>
          route(parsePublish, (input) => publish(input, deps)),
        ),
        send: of('send', assembleSend, (deps) => route(parseSend, (input) => send(input, deps))),
        history: of('history', assembleHistory, (deps) =>
          route(parseHistory, (input) => history(input, deps)),
        ),
        ping: of('ping', this.#untilCalm(assemblePing), (deps) =>
          route(parsePing, (input) => ping(input, deps)),
        ),
        whoami: of('whoami', assembleWhoami, (deps) =>
          route(parseBare(Action.whoami), (input) => whoami(input, deps)),
        ),
        $default: this.#function('default', ROUTE_TIMEOUT_MS, () => answerUnknown),
      },
    };
  }

  #assembled<D>(name: string, assemble: Assemble<D>, environment: Environment): D {
    const clients = this.#bendClients(clientsFor(environment, this));
    const deps = assemble(configOf(this.settings), clients, environment);
    return this.#bend(name, deps, environment);
  }

  /** Where there is no budget, nothing is asked about one. */
  #atItsPace<D>(assemble: Assemble<D>): Assemble<D> {
    const { requestsPerSecondMax } = this.settings;
    return (...from) => ({
      ...assemble(...from),
      ...(requestsPerSecondMax === undefined && { pace: freePace() }),
    });
  }

  /** Connections are short-lived as long as there are faults, which may end before the environment does. */
  #untilCalm(assemble: Assemble<PingDeps>): Assemble<PingDeps> {
    const ageMaxMs = () => (this.world.faults.has('connectionCut') ? this.settings.ageMaxMs : AGE_MAX_MS);
    return (...from) => ({
      ...assemble(...from),
      get rolloverAfterMs() {
        return ageMaxMs() * ROLLOVER_SHARE;
      },
    });
  }

  #worker(name: string, load: Load<QueueEvent, QueueResult>): LambdaFunction<QueueEvent, QueueResult> {
    const began = this.watcher.began.bind(this.watcher);
    return this.#function(name, WORKER_TIMEOUT_MS, load, began);
  }

  #function<E, R>(
    name: string,
    timeoutMs: number,
    load: Load<E, R>,
    onStart?: (environment: Environment, event: E) => void,
  ): LambdaFunction<E, R> {
    const made = new LambdaFunction<E, R>(this.world, {
      name,
      timeoutMs,
      load,
      ...(onStart && { onStart }),
    });
    this.#functions.push(made as unknown as LambdaFunction<never, unknown>);
    return made;
  }
}

/** Queues are called as their workers are. */
const urlOf = (name: string): string => `https://simulated/000000000000/${name}`;

/** What the environment variables of all functions say. */
const configOf = (settings: SystemSettings) => ({
  ...settings,
  connectionsTable: 'connections',
  subscriptionsTable: 'subscriptions',
  topicsTable: 'topics',
  messagesTable: 'messages',
  eventBusName: 'bus',
  deliveryQueueUrl: urlOf('deliver'),
  slowQueueUrl: urlOf('slow'),
  deadLettersUrl: 'undelivered',
  badEventsUrl: 'badEvents',
  endpoint: 'https://simulated',
  requestsPerSecondMax: settings.requestsPerSecondMax ?? USUAL.requestsPerSecondMax,
  environmentsMax: USUAL.fanOutWorkersMax + USUAL.deliveryWorkersMax + SLOW_WORKERS_MAX,
  postTimeoutMs: USUAL.postTimeoutMs,
  rolloverAfterSeconds: USUAL.rolloverAfterSeconds,
});

type Load<E, R> = (environment: Environment) => Handler<E, R>;
type Assemble<D> = (config: ReturnType<typeof configOf>, clients: Clients, clock: Environment) => D;
