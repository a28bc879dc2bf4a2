import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stage } from 'aws-cdk-lib';
import type { DomainName, HttpApi, WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import type { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, type Function as LambdaFunction, RecursiveLoop } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { SETTINGS_FILES, type SettingsFile, type Variable } from '../shared/lambda/variables.ts';
import { PUBLISH_DETAIL_TYPE } from '../shared/protocol/publication.ts';
import { REVOKE_DETAIL_TYPE } from '../shared/protocol/revocation.ts';
import { acknowledge } from './acknowledged.ts';
import { createApi, deploymentName, finishApi } from './api.ts';
import { authorizerOf, createAuthorizer, createGrantsSecret, warnOfAuth } from './authorizer.ts';
import { bundleServices } from './bundle.ts';
import { warnOfConcurrency } from './concurrency.ts';
import { keyRights } from './keys.ts';
import { createQueues, type DeadLetterQueues, type Queues } from './queues.ts';
import { REMOVAL_POLICIES } from './removal.ts';
import { authenticateOf, type Route, routesOf } from './routes.ts';
import { type Access, allow, Service, type ServiceProps } from './service.ts';
import { type CompleteSettings, completeSettings, type FanwireSettings } from './settings.ts';
import { ROUTE_MEMORY_MB, SWEEP_PERIOD_SECONDS, SWEEPS_MAX, WORKER_MEMORY_MB } from './sizes.ts';
import { createTables, type Tables } from './tables.ts';
import { createTicketsApi, ticketsOf } from './tickets.ts';
import { filesOf, type Parts, valuesOf } from './variables.ts';
import { closeOf, type QueueWorker, queueWorkersOf, sweepOf, WORKER_TIMEOUT } from './workers.ts';

type FunctionName = keyof ReturnType<typeof routesOf> | keyof ReturnType<typeof queueWorkersOf> | 'sweep';

/** The longest that API Gateway waits is 29 s; a route that takes 10 s is lost anyway. */
const ROUTE_TIMEOUT = Duration.seconds(10);
/** CloudFormation, AWS::Events::EventBus. */
const BUS_NAME_LENGTH_MAX = 256;
const SWEEP_PERIOD = Duration.seconds(SWEEP_PERIOD_SECONDS);

/**
 * The whole of Fanwire: a WebSocket API whose routes write subscriptions to DynamoDB and publish to EventBridge, and
 * the queues and workers that bring each message to its subscribers.
 */
export class Fanwire extends Construct {
  readonly api: WebSocketApi;
  readonly stage: WebSocketStage;
  /** What clients connect to. */
  readonly url: string;
  /** Where the DNS record of the setting `domain` has to lead. */
  readonly domainName?: DomainName;
  /** Back ends publish with PutEvents on this bus: see `grantPublish`. */
  readonly eventBus: EventBus;
  /** Their items are described in `shared/data/tables.ts`. */
  readonly tables: Tables;
  readonly queues: Queues;
  /** Events that nothing could be made of, and posts that failed too often: worth an alarm. */
  readonly deadLetterQueues: DeadLetterQueues;
  /** `authorize`, `authenticate` and `close` unless `auth` is `none`, `tickets` only with `auth.tickets`. */
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>> & {
    readonly authorize?: LambdaFunction;
    readonly authenticate?: LambdaFunction;
    readonly close?: LambdaFunction;
    readonly tickets?: LambdaFunction;
  };
  /** Where a token is exchanged for a ticket, with the setting `auth.tickets`. */
  readonly ticketsUrl?: string;
  readonly ticketsApi?: HttpApi;
  /** What the back end signs grants with, if the setting `auth` takes them: see `grant` of `shared/auth/grants.ts`. */
  readonly grantsSecret?: Secret;
  readonly #settings: CompleteSettings;
  readonly #authorizer: WebSocketLambdaAuthorizer | undefined;
  readonly #bundle: string;
  readonly #values: Readonly<Record<Variable, string>>;
  readonly #files: Readonly<Record<SettingsFile, string>>;

  constructor(scope: Construct, id: string, given: FanwireSettings = {}) {
    super(scope, id);
    const settings = completeSettings(given);
    // Another Fanwire of the same app has other settings beside its code.
    this.#bundle = join(Stage.of(this)?.outdir ?? 'cdk.out', 'bundle', this.node.addr);
    bundleServices(this.#bundle);
    this.#settings = settings;
    this.tables = createTables(this, settings);
    ({ queues: this.queues, deadLetterQueues: this.deadLetterQueues } = createQueues(this, settings));
    this.eventBus = new EventBus(this, 'Bus', { eventBusName: deploymentName(this, BUS_NAME_LENGTH_MAX) });
    this.#sendEvents();
    const made = createApi(this, settings);
    ({ api: this.api, stage: this.stage } = made);
    if (made.domainName) this.domainName = made.domainName;
    this.url = settings.domain ? `wss://${settings.domain.name}` : this.stage.url;
    const { tables, queues, deadLetterQueues, eventBus, api, stage } = this;
    const grantsSecret = createGrantsSecret(this, settings);
    if (grantsSecret) this.grantsSecret = grantsSecret;
    const parts: Parts = {
      ...{ settings, tables, queues, deadLetterQueues, eventBus, api, stage, grantsSecret },
    };
    this.#values = valuesOf(parts);
    this.#files = filesOf(parts);
    const routes = routesOf(parts);
    const authorize = settings.auth && this.#addRouteFunction('Authorize', 'authorize', authorizerOf(parts));
    this.#authorizer = authorize && createAuthorizer(authorize);
    const close = closeOf(parts);
    const tickets = settings.auth?.tickets && this.#addRouteFunction('Tickets', 'tickets', ticketsOf(parts));
    if (tickets) ({ api: this.ticketsApi, url: this.ticketsUrl } = createTicketsApi(this, tickets, settings));
    this.functions = {
      ...mapValues(routes, (route, name) => this.#addRoute(name, route)),
      ...mapValues(queueWorkersOf(parts), (worker, name) => this.#addQueueWorker(name, worker)),
      sweep: this.#addSweep(sweepOf(parts)),
      ...(authorize && { authorize, authenticate: this.#addRoute('authenticate', authenticateOf(parts)) }),
      ...(close && { close: this.#addQueueWorker('close', close) }),
      ...(tickets && { tickets }),
    };
    this.#updateReadersFirst();
    finishApi(made, settings);
    acknowledge(this, settings);
    const ofTokens = [authorize, this.functions.authenticate, tickets].filter(Boolean);
    warnOfConcurrency(this, settings, Object.keys(routes).length + ofTokens.length);
    warnOfAuth(this, settings);
  }

  /** Lets a back end publish: `events:PutEvents` on the bus, and nothing else. */
  grantPublish(grantee: IGrantable): Grant {
    return this.eventBus.grantPutEventsTo(grantee);
  }

  /** A version may write jobs and events that the one before cannot read: whoever reads them is to be there already. */
  #updateReadersFirst(): void {
    const { deliver, fanout, publish, send, close, connect, authenticate, sweep } = this.functions;
    fanout.node.addDependency(deliver);
    for (const writer of [publish, send]) writer.node.addDependency(fanout);
    if (close) for (const writer of [connect, authenticate, sweep]) writer?.node.addDependency(close);
  }

  #sendEvents(): void {
    const { queues, deadLetterQueues } = this;
    this.#sendTo(queues.ingest, deadLetterQueues.ingest, 'Publications', PUBLISH_DETAIL_TYPE);
    if (queues.closing && deadLetterQueues.closing) {
      this.#sendTo(queues.closing, deadLetterQueues.closing, 'Revocations', REVOKE_DETAIL_TYPE);
    }
  }

  /** Events that the bus cannot hand over go where the worker puts those that it cannot read. */
  #sendTo(queue: Queue, deadLetterQueue: Queue, id: string, detailType: string): void {
    new Rule(this, id, {
      eventBus: this.eventBus,
      eventPattern: { detailType: [detailType] },
      targets: [new SqsQueue(queue, { deadLetterQueue })],
    });
  }

  #addRoute(name: string, { id = capitalized(name), key, ...route }: Route): LambdaFunction {
    const made = this.#addRouteFunction(id, name, route);
    this.api.addRoute(key, {
      integration: new WebSocketLambdaIntegration(`${id}Integration`, made),
      returnResponse: !['$connect', '$disconnect'].includes(key),
      ...(key === '$connect' && this.#authorizer && { authorizer: this.#authorizer }),
    });
    return made;
  }

  /** A client waits for its answer. */
  #addRouteFunction(id: string, service: string, access: Access): LambdaFunction {
    const { routes } = this.#settings.reservedConcurrency;
    return this.#addFunction(id, service, {
      ...access,
      timeout: ROUTE_TIMEOUT,
      memoryMb: ROUTE_MEMORY_MB,
      reservedConcurrency: routes,
    }).function;
  }

  #addQueueWorker(name: string, { sources, reads, rights }: QueueWorker): LambdaFunction {
    const take = [
      'sqs:ReceiveMessage',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      // By the worker itself, so that what failed comes again soon.
      'sqs:ChangeMessageVisibility',
    ];
    const made = this.#addFunction(capitalized(name), name, {
      reads,
      rights: [allow(take, ...sources.map(({ queue }) => queue.queueArn)), ...rights],
      timeout: WORKER_TIMEOUT,
      memoryMb: WORKER_MEMORY_MB,
      reservedConcurrency: this.#reservedForWorker(
        sources.reduce((workers, { workersMax }) => workers + workersMax, 0),
      ),
      // What a job could not do is a job for the next worker: that comes back more often than Lambda would let it.
      recursiveLoop: RecursiveLoop.ALLOW,
    });
    for (const [index, { queue, batchSize, workersMax, batchingWindow }] of sources.entries()) {
      new EventSourceMapping(made, index === 0 ? 'Source' : `${queue.node.id}Source`, {
        target: made.function,
        eventSourceArn: queue.queueArn,
        batchSize,
        maxConcurrency: workersMax,
        reportBatchItemFailures: true,
        ...(batchingWindow && { maxBatchingWindow: batchingWindow }),
      });
    }
    return made.function;
  }

  #addSweep(access: Access): LambdaFunction {
    const made = this.#addFunction('Sweep', 'sweep', {
      ...access,
      timeout: WORKER_TIMEOUT,
      memoryMb: ROUTE_MEMORY_MB,
      reservedConcurrency: this.#reservedForWorker(SWEEPS_MAX),
    });
    new Schedule(this, 'SweepSchedule', {
      schedule: ScheduleExpression.rate(SWEEP_PERIOD),
      // The next run makes up for one that failed.
      target: new LambdaInvoke(made.function, { retryAttempts: 0 }),
    });
    return made.function;
  }

  /** No fewer than its queues may have run: what they hand out to a worker that cannot begin counts as received. */
  #reservedForWorker(workersMax: number): number | undefined {
    return this.#settings.reservedConcurrency.workers ? workersMax : undefined;
  }

  #addFunction(id: string, service: string, { reads, rights, ...props }: FunctionProps): Service {
    const environment: Partial<Record<Variable, string>> = {};
    for (const name of reads) {
      if (isFile(name)) {
        writeFileSync(join(this.#bundle, service, SETTINGS_FILES[name]), this.#files[name]);
      } else {
        environment[name] = this.#values[name];
      }
    }
    const { encryptionKey, removal } = this.#settings;
    return new Service(this, id, {
      bundle: this.#bundle,
      service,
      environment,
      rights: [...rights, ...keyRights(encryptionKey, rights)],
      removalPolicy: REMOVAL_POLICIES[removal],
      ...props,
    });
  }
}

type FunctionProps = Access &
  Pick<ServiceProps, 'timeout' | 'memoryMb' | 'recursiveLoop' | 'reservedConcurrency'>;

const isFile = (name: Variable | SettingsFile): name is SettingsFile => name in SETTINGS_FILES;

const capitalized = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

const mapValues = <K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: K) => R,
): Record<K, R> =>
  Object.fromEntries(Object.entries<V>(record).map(([key, value]) => [key, map(value, key as K)])) as Record<
    K,
    R
  >;
