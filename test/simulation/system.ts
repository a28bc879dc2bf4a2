import { completeSettings } from '../../infra/settings.ts';
import { DELIVERY_BATCH_MAX, SLOW_BATCH_MAX, SLOW_WORKERS_MAX } from '../../infra/sizes.ts';
import type { QueueEvent, QueueResult } from '../../shared/lambda/events.ts';
import { MemoryDynamoDB, type MemoryOptions } from '../memory/dynamodb.ts';
import { freePace } from '../support/free-pace.ts';
import { Bus } from './bus.ts';
import { type Aws, type Clients, clientsFor, disconnectFor, type Watcher } from './clients.ts';
import type { Code, Load } from './code.ts';
import { AGE_MAX_MS, Gateway, type Routes } from './gateway.ts';
import { type Environment, LambdaFunction } from './lambda.ts';
import { DeadLetters, Queue } from './queue.ts';
import type { Rollout } from './rollout.ts';
import { configOf, type SystemSettings, urlOf } from './settings.ts';
import type { Tokens } from './tokens.ts';
import type { World } from './world.ts';

/** As in infra/fanwire.ts and infra/workers.ts, which would load the CDK into every thread. */
const ROUTE_TIMEOUT_MS = 10_000;
const WORKER_TIMEOUT_MS = 90_000;
/** When a client is asked for its next connection, as a share of the age that it may reach. */
const ROLLOVER_SHARE = (completeSettings({}).rolloverAfterSeconds * 1_000) / AGE_MAX_MS;
/** Who writes to the logs of topics, and so begins them. */
const BEGINNERS: ReadonlySet<string> = new Set(['publish', 'fanout']);
/** Wraps what one environment of a function gets: that is how a mutant is planted. */
export type Bend = <D>(functionName: string, deps: D, environment: Environment) => D;
/** The same with what it calls AWS by. */
export type BendClients = (clients: Clients) => Clients;

export interface Bends {
  readonly bend?: Bend;
  readonly bendClients?: BendClients;
}

interface SystemOptions {
  readonly settings: SystemSettings;
  readonly watcher: Watcher;
  readonly rollout: Rollout;
  readonly bends: Bends;
  readonly tokens: Tokens;
  readonly onWrite: NonNullable<MemoryOptions['onWrite']>;
}

/** The whole of Fanwire on a simulated AWS. */
export class System implements Aws {
  readonly tables: MemoryDynamoDB;
  readonly gateway: Gateway;
  readonly bus: Bus;
  readonly ingest: Queue;
  readonly delivery: Queue;
  readonly slow: Queue;
  /** What there is to close, for as long as a quarter of an hour. */
  readonly closing: Queue;
  readonly badEvents: DeadLetters;
  readonly undelivered: DeadLetters;
  readonly settings: SystemSettings;
  readonly world: World;
  readonly watcher: Watcher;
  readonly rollout: Rollout;
  readonly tokens: Tokens;
  readonly #bend: Bend;
  readonly #bendClients: BendClients;
  readonly #functions: LambdaFunction<never, unknown>[] = [];
  readonly #sweep: LambdaFunction<object, void>;

  constructor(world: World, { settings, watcher, rollout, bends, tokens, onWrite }: SystemOptions) {
    this.world = world;
    this.settings = settings;
    this.watcher = watcher;
    this.rollout = rollout;
    this.tokens = tokens;
    this.#bend = bends.bend ?? ((_, deps) => deps);
    this.#bendClients = bends.bendClients ?? ((clients) => clients);
    this.tables = new MemoryDynamoDB({
      now: () => world.scheduler.nowMs,
      pageItemsMax: settings.pageItemsMax,
      onWrite,
    });
    this.badEvents = new DeadLetters((letter) => watcher.buried(letter));
    this.undelivered = new DeadLetters((letter) => watcher.buried(letter));
    const fanOut = this.#worker('fanout', ({ functions }) => functions.fanout);
    const deliver = this.#worker('deliver', ({ functions }) => functions.deliver);
    const { badEvents, undelivered } = this;
    const { workersMax, visibilityMs } = settings;
    const named = (name: string) => ({ name, url: urlOf(name), visibilityMs });
    const usual = { workersMax, batchMax: DELIVERY_BATCH_MAX };
    const slow = { workersMax: SLOW_WORKERS_MAX, batchMax: SLOW_BATCH_MAX };
    this.ingest = new Queue(world, { ...named('fanout'), ...usual, deadLetters: badEvents }, fanOut);
    this.delivery = new Queue(world, { ...named('deliver'), ...usual, deadLetters: undelivered }, deliver);
    this.slow = new Queue(world, { ...named('slow'), ...slow, deadLetters: undelivered }, deliver);
    const close = this.#function('close', WORKER_TIMEOUT_MS, ({ functions }) => functions.close);
    this.closing = new Queue(world, { ...named('close'), ...usual, deadLetters: badEvents }, close);
    this.bus = new Bus(world, this.ingest, this.closing, (event) => watcher.arrived(event));
    this.gateway = new Gateway(world, this.#routes(), settings.ageMaxMs);
    this.#sweep = this.#function('sweep', WORKER_TIMEOUT_MS, ({ functions }) => functions.sweep);
  }

  /** Nothing that was published is on its way or being worked on. */
  get isQuiet(): boolean {
    return [this.bus, this.ingest, this.delivery, this.slow].every(({ size }) => size === 0);
  }

  queueAt(url: string): Queue {
    const found = [this.ingest, this.delivery, this.slow, this.closing].find((queue) => queue.url === url);
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

  #routes(): Routes {
    const of = <E, R>(name: string, pick: (functions: Code['functions']) => Load<E, R>) =>
      this.#function(name, ROUTE_TIMEOUT_MS, ({ functions }) => pick(functions));
    return {
      ...(this.settings.authorization === 'required' && {
        authorize: of('authorize', ({ authorize }) => authorize),
      }),
      connect: of('connect', ({ connect }) => connect),
      disconnect: of('disconnect', ({ disconnect }) => disconnect),
      actions: {
        ...(this.settings.authorization === 'required' && {
          authenticate: of('authenticate', ({ authenticate }) => authenticate),
        }),
        subscribe: of('subscribe', ({ subscribe }) => subscribe),
        unsubscribe: of('unsubscribe', ({ unsubscribe }) => unsubscribe),
        publish: of('publish', ({ publish }) => publish),
        send: of('send', ({ send }) => send),
        history: of('history', ({ history }) => history),
        ping: of('ping', ({ ping }) => ping),
        whoami: of('whoami', ({ whoami }) => whoami),
        $default: of('$default', ({ $default }) => $default),
      },
    };
  }

  #worker(name: string, pick: (code: Code) => Load<QueueEvent, QueueResult>) {
    const { watcher } = this;
    return this.#function(name, WORKER_TIMEOUT_MS, pick, {
      onStart: (environment, event) => watcher.began(environment, event),
      onAnswer: (environment, answer) => watcher.answered(environment, answer),
    });
  }

  #function<E, R>(
    name: string,
    timeoutMs: number,
    pick: (code: Code) => Load<E, R>,
    watch: Pick<ConstructorParameters<typeof LambdaFunction<E, R>>[1], 'onStart' | 'onAnswer'> = {},
  ): LambdaFunction<E, R> {
    const { world, rollout } = this;
    const made = new LambdaFunction<E, R>(world, {
      name,
      timeoutMs,
      deployed: () => rollout.codeFor(name),
      isDeployed: (code) => rollout.isLive(name, code),
      load: (environment, code) => {
        const mayBegin = BEGINNERS.has(name) || rollout.isOld(code);
        const clients = this.#bendClients(clientsFor(environment, this, mayBegin));
        return pick(code)(configOf(this.settings), clients, environment, (deps) =>
          this.#bend(name, this.#fitted(name, deps, code, environment), environment),
        );
      },
      ...watch,
    });
    this.#functions.push(made as unknown as LambdaFunction<never, unknown>);
    return made;
  }

  /** What no configuration can say. */
  #fitted<D>(name: string, deps: D, code: Code, environment: Environment): D {
    const { settings, world, rollout } = this;
    const ageMaxMs = () => (world.faults.has('connectionCut') ? settings.ageMaxMs : AGE_MAX_MS);
    switch (name) {
      case 'ping':
        // Connections are short-lived as long as there are faults, which may end before the environment does.
        return {
          ...deps,
          get rolloverAfterMs() {
            return ageMaxMs() * ROLLOVER_SHARE;
          },
        };
      case 'authorize':
        return { ...deps, authenticate: this.tokens.verifier(environment.now) };
      case 'authenticate': {
        const { verifier } = this.tokens;
        const clients = clientsFor(environment, this, false);
        const config = configOf(this.settings);
        return {
          ...deps,
          takeToken: code.takeTokenBy(verifier(environment.now), config, clients, environment),
        };
      }
      case 'close':
        // Those of an SDK have deadlines in real time.
        return {
          ...deps,
          post: clientsFor(environment, this, false).post,
          disconnect: disconnectFor(environment, this),
        };
      case 'fanout':
      case 'deliver': {
        // Where there is no budget, nothing is asked about one. An older pace may be of another shape.
        const isFree = settings.requestsPerSecondMax === undefined && !rollout.isOld(code);
        return isFree ? { ...deps, pace: freePace() } : deps;
      }
      default:
        return deps;
    }
  }
}
