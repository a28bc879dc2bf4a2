import { join } from 'node:path';
import { Duration, Stage } from 'aws-cdk-lib';
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { USER_INDEX } from '../shared/data/tables.ts';
import { PUBLISH_DETAIL_TYPE } from '../shared/protocol/publication.ts';
import { bundleServices } from './bundle.ts';
import { Service } from './service.ts';
import { type CompleteSettings, completeSettings, type FanwireSettings } from './settings.ts';
import { createTables, type Tables } from './tables.ts';

/** The longest that API Gateway waits is 29 s; a route that takes 10 s is lost anyway. */
const ROUTE_TIMEOUT = Duration.seconds(10);
/** A worker whose every post hangs ends within this. */
const WORKER_TIMEOUT = Duration.seconds(90);
/** AWS asks for six times the function timeout, or a slow batch is delivered twice. */
const WORKER_VISIBILITY = Duration.seconds(6 * 90);
/** AWS asks for at least 5, so that throttled invocations do not end as dead letters. */
const RECEIVE_COUNT_MAX = 5;
const INGEST_BATCH_MAX = 10;
/** Enough that a worker has other posts to make while some hang. */
const DELIVERY_BATCH_MAX = 10;
const SWEEP_PERIOD = Duration.minutes(1);

/**
 * The whole of Fanwire: a WebSocket API whose routes write subscriptions to DynamoDB and publish to EventBridge, and
 * the queues and workers that bring each message to its subscribers.
 */
export class Fanwire extends Construct {
  readonly api: WebSocketApi;
  readonly stage: WebSocketStage;
  /** Back ends publish with PutEvents on this bus: grant them `events:PutEvents`. */
  readonly eventBus: EventBus;
  readonly #settings: CompleteSettings;
  readonly #bundle: string;
  readonly #tables: Tables;
  readonly #queues: Record<'ingest' | 'ingestDeadLetters' | 'delivery' | 'deliveryDeadLetters', Queue>;

  constructor(scope: Construct, id: string, settings: FanwireSettings = {}) {
    super(scope, id);
    this.#settings = completeSettings(settings);
    this.#bundle = join(Stage.of(this)?.outdir ?? 'cdk.out', 'bundle');
    bundleServices(this.#bundle);
    this.#tables = createTables(this);
    this.#queues = this.#createQueues();
    this.eventBus = new EventBus(this, 'Bus');
    this.#routePublicationsToIngest();
    this.api = new WebSocketApi(this, 'Api', { routeSelectionExpression: '$request.body.action' });
    this.stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.api,
      stageName: this.#settings.stageName,
      autoDeploy: true,
    });
    this.#addLifecycle();
    this.#addSubscriptionRoutes();
    this.#addPublishRoutes();
    this.#addSmallRoutes();
    this.#addWorkers();
    this.#addSweep();
  }

  #createQueues() {
    const queue = (id: string, props: QueueProps) =>
      new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
    const deadLetters = (id: string) => queue(id, { retentionPeriod: Duration.days(14) });
    const work = (id: string, deadLetterQueue: Queue) =>
      queue(id, {
        visibilityTimeout: WORKER_VISIBILITY,
        deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: RECEIVE_COUNT_MAX },
      });
    const ingestDeadLetters = deadLetters('IngestDeadLetters');
    const deliveryDeadLetters = deadLetters('DeliveryDeadLetters');
    return {
      ingestDeadLetters,
      deliveryDeadLetters,
      ingest: work('Ingest', ingestDeadLetters),
      delivery: work('Delivery', deliveryDeadLetters),
    };
  }

  #routePublicationsToIngest() {
    const { ingest, ingestDeadLetters } = this.#queues;
    new Rule(this, 'Publications', {
      eventBus: this.eventBus,
      eventPattern: { detailType: [PUBLISH_DETAIL_TYPE] },
      // What the bus cannot hand over is the same event as one that the worker cannot read: one place for both.
      targets: [new SqsQueue(ingest, { deadLetterQueue: ingestDeadLetters })],
    });
  }

  #addLifecycle() {
    const { connections, subscriptions } = this.#tables;
    const connect = this.#addRoute('Connect', '$connect', 'connect', tableNames({ connections }));
    connect.allow(['dynamodb:PutItem'], connections.tableArn);
    const disconnect = this.#addRoute(
      'Disconnect',
      '$disconnect',
      'disconnect',
      tableNames({ connections, subscriptions }),
    );
    disconnect.allow(['dynamodb:DeleteItem'], connections.tableArn);
    disconnect.allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn);
  }

  #addSubscriptionRoutes() {
    const { connections, subscriptions, topics, messages } = this.#tables;
    const subscribe = this.#addRoute('Subscribe', 'subscribe', 'subscribe', {
      ...tableNames(this.#tables),
      NAMESPACES: this.#namespaces,
      SUBSCRIPTIONS_MAX: String(this.#settings.subscriptionsPerConnectionMax),
    });
    subscribe.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn, connections.tableArn);
    subscribe.allow(['dynamodb:PutItem'], subscriptions.tableArn);
    const history = this.#addRoute('History', 'history', 'history', {
      ...tableNames({ topics, messages }),
      NAMESPACES: this.#namespaces,
    });
    history.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn);
    for (const reader of [subscribe, history]) {
      // A reader that finds an offset undecided decides it.
      reader.allow(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'], messages.tableArn);
    }
    const unsubscribe = this.#addRoute(
      'Unsubscribe',
      'unsubscribe',
      'unsubscribe',
      tableNames({ connections, subscriptions, topics }),
    );
    unsubscribe.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], connections.tableArn);
    unsubscribe.allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn);
    unsubscribe.allow(['dynamodb:BatchGetItem'], topics.tableArn);
  }

  #addPublishRoutes() {
    for (const [id, service] of [
      ['Publish', 'publish'],
      ['Send', 'send'],
    ] as const) {
      const route = this.#addRoute(id, service, service, {
        EVENT_BUS_NAME: this.eventBus.eventBusName,
        ...(service === 'publish' && { NAMESPACES: this.#namespaces }),
      });
      route.allow(['events:PutEvents'], this.eventBus.eventBusArn);
    }
  }

  #addSmallRoutes() {
    const { connections, topics } = this.#tables;
    const whoami = this.#addRoute('Whoami', 'whoami', 'whoami', {
      ...tableNames({ connections }),
      CALLBACK_URL: this.stage.callbackUrl,
    });
    whoami.allow(['dynamodb:GetItem'], connections.tableArn);
    const ping = this.#addRoute('Ping', 'ping', 'ping', {
      ...tableNames({ connections, topics }),
      ROLLOVER_AFTER_SECONDS: String(this.#settings.rolloverAfterSeconds),
    });
    ping.allow(['dynamodb:GetItem'], connections.tableArn);
    ping.allow(['dynamodb:BatchGetItem'], topics.tableArn);
    this.#addRoute('DefaultRoute', '$default', 'default');
  }

  #addWorkers() {
    const { connections, subscriptions, topics, messages } = this.#tables;
    const { ingest, ingestDeadLetters, delivery, deliveryDeadLetters } = this.#queues;
    const environment = {
      ...tableNames({ connections, subscriptions, topics }),
      DELIVERY_QUEUE_URL: delivery.queueUrl,
      DELIVERY_DEAD_LETTERS_URL: deliveryDeadLetters.queueUrl,
      CALLBACK_URL: this.stage.callbackUrl,
      DELIVERY_ATTEMPTS_MAX: String(this.#settings.deliveryAttemptsMax),
      POST_TIMEOUT_MS: String(this.#settings.postTimeoutMs),
      POST_TRANSPORT: this.#settings.postTransport,
      REQUESTS_PER_SECOND_MAX: String(this.#settings.requestsPerSecondMax),
      ENVIRONMENTS_MAX: String(this.#settings.fanOutWorkersMax + this.#settings.deliveryWorkersMax),
    };
    const fanout = this.#addWorker('Fanout', 'fanout', {
      queue: ingest,
      batchSize: INGEST_BATCH_MAX,
      workersMax: this.#settings.fanOutWorkersMax,
      environment: {
        ...environment,
        ...tableNames({ messages }),
        NAMESPACES: this.#namespaces,
        INGEST_DEAD_LETTERS_URL: ingestDeadLetters.queueUrl,
        INLINE_MAX: String(this.#settings.inlineSubscribersMax),
        SHARD_SUBSCRIBERS_MAX: String(this.#settings.subscribersPerShardMax),
      },
    });
    fanout.allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem'], topics.tableArn);
    if (Object.values(this.#settings.namespaces).some(({ lastValue }) => lastValue)) {
      fanout.allow(['dynamodb:PutItem'], topics.tableArn);
    }
    fanout.allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem'], messages.tableArn);
    fanout.allow(['dynamodb:Query'], subscriptions.tableArn, `${connections.tableArn}/index/${USER_INDEX}`);
    fanout.allow(['dynamodb:Scan'], connections.tableArn);
    fanout.allow(['sqs:SendMessage'], ingestDeadLetters.queueArn);
    const deliver = this.#addWorker('Deliver', 'deliver', {
      queue: delivery,
      batchSize: DELIVERY_BATCH_MAX,
      workersMax: this.#settings.deliveryWorkersMax,
      environment,
    });
    for (const worker of [fanout, deliver]) {
      // The schedule of posts is there, and how many shards a topic has.
      worker.allow(['dynamodb:UpdateItem'], topics.tableArn);
      worker.allow(['dynamodb:DeleteItem'], connections.tableArn);
      worker.allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn);
      worker.allow(['sqs:SendMessage'], delivery.queueArn, deliveryDeadLetters.queueArn);
      worker.allow(['execute-api:ManageConnections'], this.#connectionsArn('POST'));
    }
  }

  #addSweep() {
    const { connections, subscriptions } = this.#tables;
    const sweep = new Service(this, 'Sweep', {
      bundle: this.#bundle,
      service: 'sweep',
      timeout: WORKER_TIMEOUT,
      memoryMb: 256,
      environment: { ...tableNames({ connections, subscriptions }), CALLBACK_URL: this.stage.callbackUrl },
    });
    sweep.allow(['dynamodb:Scan', 'dynamodb:DeleteItem'], connections.tableArn);
    sweep.allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn);
    sweep.allow(['execute-api:ManageConnections'], this.#connectionsArn('GET'));
    new Schedule(this, 'SweepSchedule', {
      schedule: ScheduleExpression.rate(SWEEP_PERIOD),
      // The next run makes up for one that failed.
      target: new LambdaInvoke(sweep.function, { retryAttempts: 0 }),
    });
  }

  #addRoute(
    id: string,
    routeKey: string,
    service: string,
    environment: Record<string, string> = {},
  ): Service {
    const made = new Service(this, id, {
      bundle: this.#bundle,
      service,
      timeout: ROUTE_TIMEOUT,
      memoryMb: 256,
      environment,
    });
    this.api.addRoute(routeKey, {
      integration: new WebSocketLambdaIntegration(`${id}Integration`, made.function),
      returnResponse: !['$connect', '$disconnect'].includes(routeKey),
    });
    return made;
  }

  #addWorker(id: string, service: string, { queue, batchSize, workersMax, environment }: WorkerProps) {
    const worker = new Service(this, id, {
      bundle: this.#bundle,
      service,
      timeout: WORKER_TIMEOUT,
      memoryMb: 512,
      environment,
    });
    worker.allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], queue.queueArn);
    new EventSourceMapping(worker, 'Source', {
      target: worker.function,
      eventSourceArn: queue.queueArn,
      batchSize,
      maxConcurrency: workersMax,
      reportBatchItemFailures: true,
    });
    return worker;
  }

  get #namespaces(): string {
    return JSON.stringify(this.#settings.namespaces);
  }

  #connectionsArn(method: string): string {
    return this.api.arnForExecuteApiV2(`${method}/@connections/*`, this.stage.stageName);
  }
}

interface WorkerProps {
  readonly queue: Queue;
  readonly batchSize: number;
  readonly workersMax: number;
  readonly environment: Record<string, string>;
}

const tableNames = (tables: Readonly<Record<string, Table>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tables).map(([name, { tableName }]) => [`${name.toUpperCase()}_TABLE`, tableName]),
  );
