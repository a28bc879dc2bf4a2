import { connect } from '../../services/connect/connect.ts';
import { handler as answerUnknown } from '../../services/default/lambda.ts';
import { deliverJobs } from '../../services/deliver/deliver-jobs.ts';
import { fanOut } from '../../services/fanout/fan-out.ts';
import { history } from '../../services/history/history.ts';
import { ping } from '../../services/ping/ping.ts';
import { publish } from '../../services/publish/publish.ts';
import { send } from '../../services/send/send.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { sweep } from '../../services/sweep/sweep.ts';
import { unsubscribe } from '../../services/unsubscribe/unsubscribe.ts';
import { whoami } from '../../services/whoami/whoami.ts';
import { createLimit } from '../../shared/async.ts';
import { createBudget } from '../../shared/data/budget.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createForget, forgetConnection } from '../../shared/data/forget.ts';
import { createHeads } from '../../shared/data/heads.ts';
import { createLogs } from '../../shared/data/log.ts';
import { createShards } from '../../shared/data/shards.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { createPace } from '../../shared/delivery/pace.ts';
import type { RunDeps } from '../../shared/delivery/run.ts';
import type {
  ConnectEvent,
  DisconnectEvent,
  MessageEvent,
  QueueEvent,
  QueueResult,
  RouteResult,
} from '../../shared/lambda/events.ts';
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
import { createBus } from '../../shared/queues/bus.ts';
import { createDeadLetters, createDeliveryQueue } from '../../shared/queues/queues.ts';
import { MemoryDynamoDB, type MemoryOptions } from '../memory/dynamodb.ts';
import { freePace } from '../support/free-pace.ts';
import { Bus } from './bus.ts';
import {
  type Aws,
  dynamodbFor,
  eventBridgeFor,
  isOpenFor,
  postFor,
  sqsFor,
  type Watcher,
} from './clients.ts';
import { AGE_MAX_MS, Gateway } from './gateway.ts';
import { type Environment, LambdaFunction } from './lambda.ts';
import { DeadLetters, Queue } from './queue.ts';
import type { SystemSettings } from './settings.ts';
import type { World } from './world.ts';

/** As in infra/fanwire.ts. */
const ROUTE_TIMEOUT_MS = 10_000;
const WORKER_TIMEOUT_MS = 90_000;
const POSTS_IN_FLIGHT_MAX = 200;
/** When a client is asked for its next connection, as a share of the age that it may reach. */
const ROLLOVER_SHARE = 6_000 / 7_200;
/** Wraps what one environment of a function gets: that is how a mutant is planted. */
export type Bend = <D>(functionName: string, deps: D, environment: Environment) => D;

/** The whole of Fanwire: the service functions as they are, wired as their entries wire them, on a simulated AWS. */
export class System implements Aws {
  readonly tables: MemoryDynamoDB;
  readonly gateway: Gateway;
  readonly bus: Bus;
  readonly ingest: Queue;
  readonly delivery: Queue;
  readonly badEvents = new DeadLetters();
  readonly undelivered = new DeadLetters();
  readonly settings: SystemSettings;
  readonly world: World;
  readonly watcher: Watcher;
  readonly #bend: Bend;
  readonly #functions: LambdaFunction<never, unknown>[] = [];
  readonly #sweep: LambdaFunction<object, void>;

  constructor(
    world: World,
    settings: SystemSettings,
    watcher: Watcher,
    bend: Bend,
    onWrite: MemoryOptions['onWrite'],
  ) {
    this.world = world;
    this.settings = settings;
    this.watcher = watcher;
    this.#bend = bend;
    this.tables = new MemoryDynamoDB({
      now: () => world.scheduler.nowMs,
      pageItemsMax: settings.pageItemsMax,
      ...(onWrite && { onWrite }),
    });
    const { workersMax, visibilityMs } = settings;
    const queue = (name: string, deadLetters: DeadLetters, load: Load<QueueEvent, QueueResult>) => {
      const function_ = this.#worker(name, load);
      return new Queue(world, { name, visibilityMs, workersMax, deadLetters }, function_);
    };
    this.ingest = queue('fanout', this.badEvents, (environment) => this.#fanOut(environment));
    this.delivery = queue('deliver', this.undelivered, (environment) => this.#deliver(environment));
    this.bus = new Bus(world, this.ingest, (event) => watcher.arrived(event));
    this.gateway = new Gateway(world, this.#routes(), settings.ageMaxMs);
    this.#sweep = this.#function('sweep', WORKER_TIMEOUT_MS, (environment) => async () => {
      const { connections, subscriptions } = this.#stores(environment);
      const isOpen = isOpenFor(environment, this);
      const { now, wait, newId } = environment;
      await sweep({ connections, subscriptions, isOpen, now, wait, newId });
    });
  }

  /** Nothing that was published is on its way or being worked on. */
  get isQuiet(): boolean {
    return [this.bus, this.ingest, this.delivery].every(({ size }) => size === 0);
  }

  async sweep(): Promise<void> {
    await this.#sweep.invoke({});
  }

  /** Sets everything free that waits for what never comes. */
  release(): void {
    for (const each of this.#functions) each.release();
  }

  #routes() {
    const action = (name: string, load: Load<MessageEvent, RouteResult>) =>
      this.#function(name, ROUTE_TIMEOUT_MS, load);
    return {
      connect: this.#function<ConnectEvent, RouteResult>('connect', ROUTE_TIMEOUT_MS, (environment) => {
        const { connections } = this.#stores(environment);
        return lifecycle((event: ConnectEvent) => connect(event, { connections }));
      }),
      disconnect: this.#function<DisconnectEvent, RouteResult>(
        'disconnect',
        ROUTE_TIMEOUT_MS,
        (environment) => {
          const stores = this.#stores(environment);
          return lifecycle(async ({ requestContext }: DisconnectEvent) => {
            await forgetConnection(requestContext.connectionId, stores);
          });
        },
      ),
      actions: {
        subscribe: action('subscribe', (environment) => {
          const { namespaces, subscriptionsMax } = this.settings;
          const { random, newId, now, wait } = environment;
          const rest = { namespaces, subscriptionsMax, random, newId, now, wait };
          const deps = this.#bend('subscribe', { ...this.#stores(environment), ...rest }, environment);
          return route(parseSubscribe, (input) => subscribe(input, deps));
        }),
        unsubscribe: action('unsubscribe', (environment) => {
          const deps = this.#stores(environment);
          return route(parseSubscription(Action.unsubscribe), (input) => unsubscribe(input, deps));
        }),
        publish: action('publish', (environment) => {
          const { newId, now } = environment;
          const deps = {
            bus: createBus(eventBridgeFor(environment, this), 'bus'),
            namespaces: this.settings.namespaces,
            newId,
            now,
          };
          return route(parsePublish, (input) => publish(input, deps));
        }),
        send: action('send', (environment) => {
          const { newId, now } = environment;
          const deps = { bus: createBus(eventBridgeFor(environment, this), 'bus'), newId, now };
          return route(parseSend, (input) => send(input, deps));
        }),
        history: action('history', (environment) => {
          const { newId, now, wait } = environment;
          const { logs } = this.#stores(environment);
          const all = { logs, namespaces: this.settings.namespaces, newId, now, wait };
          const deps = this.#bend('history', all, environment);
          return route(parseHistory, (input) => history(input, deps));
        }),
        ping: action('ping', (environment) => {
          const heads = createHeads(dynamodbFor(environment, this), 'topics', environment.now);
          const ageMaxMs = () =>
            this.world.faults.has('connectionCut') ? this.settings.ageMaxMs : AGE_MAX_MS;
          const deps = {
            connections: this.#stores(environment).connections,
            heads,
            get rolloverAfterMs() {
              return ageMaxMs() * ROLLOVER_SHARE;
            },
            now: environment.now,
          };
          return route(parsePing, (input) => ping(input, deps));
        }),
        whoami: action('whoami', (environment) => {
          const deps = { connections: this.#stores(environment).connections, endpoint: 'https://simulated' };
          return route(parseBare(Action.whoami), (input) => whoami(input, deps));
        }),
        $default: action('default', () => answerUnknown),
      },
    };
  }

  #fanOut(environment: Environment): Handler<QueueEvent, QueueResult> {
    const { namespaces, inlineMax, shardSubscribersMax } = this.settings;
    const deps = this.#bend(
      'fanout',
      {
        ...this.#runDeps(environment),
        ...this.#stores(environment),
        namespaces,
        epochs: new Map(),
        newId: environment.newId,
        badEvents: createDeadLetters(sqsFor(environment, this), 'badEvents'),
        inlineMax,
        shardSubscribersMax,
      },
      environment,
    );
    return worker((records, stopAtMs) => fanOut(records, deps, stopAtMs), environment.now);
  }

  #deliver(environment: Environment): Handler<QueueEvent, QueueResult> {
    const deps = this.#bend('deliver', this.#runDeps(environment), environment);
    return worker((records, stopAtMs) => deliverJobs(records, deps, stopAtMs), environment.now);
  }

  #runDeps(environment: Environment): RunDeps {
    const { now, random, wait } = environment;
    const stores = this.#stores(environment);
    const sqs = sqsFor(environment, this);
    const { requestsPerSecondMax } = this.settings;
    const budget = createBudget(dynamodbFor(environment, this), 'topics', now);
    return {
      post: postFor(environment, this),
      inFlight: createLimit(POSTS_IN_FLIGHT_MAX),
      pace: requestsPerSecondMax
        ? createPace({ budget, requestsPerSecondMax, environmentsMax: 60, now, random, wait })
        : freePace(),
      now,
      random,
      forget: createForget({ ...stores, now }),
      deliveryQueue: createDeliveryQueue(sqs, 'delivery'),
      deadLetters: createDeadLetters(sqs, 'undelivered'),
      attemptsMax: this.settings.attemptsMax,
    };
  }

  #stores(environment: Environment) {
    const client = dynamodbFor(environment, this);
    const { now } = environment;
    return {
      connections: createConnections(client, 'connections', now),
      subscriptions: createSubscriptions(client, 'subscriptions', now),
      shards: createShards(client, 'topics', now),
      logs: createLogs(client, { topicsTable: 'topics', messagesTable: 'messages' }, now),
    };
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

type Load<E, R> = (environment: Environment) => Handler<E, R>;
