import { join } from 'node:path';
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  WebSocketApi,
  type WebSocketRouteIntegration,
  type WebSocketRouteOptions,
  WebSocketStage,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Code, EventSourceMapping, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Queue, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import {
  CONCURRENCY_MAX,
  EVENT_SOURCE,
  INTEGRATION_TIMEOUT_MS,
  RECEIVE_COUNT_MAX,
  type StageName,
  VISIBILITY_SECONDS,
} from './stages.ts';

/**
 * What the conformance cases need of an account: plain constructs of aws-cdk-lib and nothing of Fanwire, so that it
 * says the same wherever it is deployed. What handlers see they write to a table, where the tests look.
 */
const stack = new Stack(new App({ analyticsReporting: false }), 'FanwireConformance', {
  description: 'Fanwire: the conformance cases',
});

/** A handler may wait for a test to let it go on, and a test takes as long as it takes. */
const HANDLER_TIMEOUT = Duration.seconds(20);
/** No longer than their queues keep a message hidden: AWS refuses a mapping otherwise. */
const WORKER_TIMEOUT = Duration.seconds(VISIBILITY_SECONDS);

const observations = new Table(stack, 'Observations', {
  partitionKey: { name: 'subject', type: AttributeType.STRING },
  sortKey: { name: 'id', type: AttributeType.STRING },
  billingMode: BillingMode.PAY_PER_REQUEST,
  timeToLiveAttribute: 'expiresAt',
  removalPolicy: RemovalPolicy.DESTROY,
});

interface Observer {
  readonly function: LambdaFunction;
  allow(actions: string[], ...resources: string[]): void;
}

/** A function with a role of its own that may write its log, put observations, and nothing else. */
function observer(id: string, handler: string, timeout: Duration): Observer {
  const logGroup = new LogGroup(stack, `${id}Log`, {
    retention: RetentionDays.ONE_DAY,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(stack, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  const allow: Observer['allow'] = (actions, ...resources) =>
    void role.addToPolicy(new PolicyStatement({ actions, resources }));
  allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn);
  allow(['dynamodb:PutItem'], observations.tableArn);
  const made = new LambdaFunction(stack, id, {
    runtime: Runtime.NODEJS_24_X,
    code: Code.fromAsset(join(import.meta.dirname, 'handlers')),
    handler,
    role,
    logGroup,
    timeout,
    memorySize: 512,
    environment: { OBSERVATIONS_TABLE: observations.tableName },
  });
  return { function: made, allow };
}

const routes = observer('Routes', 'routes.handler', HANDLER_TIMEOUT);
// It waits for gates that tests open.
routes.allow(['dynamodb:GetItem'], observations.tableArn);
const authorizer = observer('Authorizer', 'authorizer.handler', HANDLER_TIMEOUT);

/** A stage of its own API, with these routes. */
function addStage(stageName: StageName, routeOptions: Readonly<Record<string, WebSocketRouteOptions>>) {
  const api = new WebSocketApi(stack, `${stageName}Api`, {
    routeSelectionExpression: '$request.body.action',
  });
  for (const [routeKey, options] of Object.entries(routeOptions)) api.addRoute(routeKey, options);
  const stage = new WebSocketStage(stack, `${stageName}Stage`, {
    webSocketApi: api,
    stageName,
    autoDeploy: true,
  });
  new CfnOutput(stack, `${stageName}Url`, { value: stage.url });
  return { api, stage };
}

let integrations = 0;
function integration(timeoutMs?: number): WebSocketRouteIntegration {
  integrations += 1;
  return new WebSocketLambdaIntegration(`Integration${integrations}`, routes.function, {
    ...(timeoutMs !== undefined && { timeout: Duration.millis(timeoutMs) }),
  });
}

const oneWay = (timeoutMs?: number): WebSocketRouteOptions => ({ integration: integration(timeoutMs) });
const reply = (timeoutMs?: number): WebSocketRouteOptions => ({
  integration: integration(timeoutMs),
  returnResponse: true,
});

const main = addStage('main', {
  $connect: oneWay(),
  $disconnect: oneWay(),
  $default: reply(),
  pub: reply(),
  '5': reply(),
  oneWay: oneWay(),
  timeout: reply(INTEGRATION_TIMEOUT_MS),
});
routes.function.addEnvironment('CALLBACK_URL', main.stage.callbackUrl);
for (const method of ['POST', 'GET']) {
  const path = `${method}/@connections/*`;
  routes.allow(['execute-api:ManageConnections'], main.api.arnForExecuteApiV2(path, main.stage.stageName));
}
addStage('noconnect', { $disconnect: oneWay(), $default: reply() });
addStage('bare', { pub: reply() });
addStage('impatient', { $connect: oneWay(INTEGRATION_TIMEOUT_MS), $disconnect: oneWay() });
for (const [stageName, identitySource] of [
  ['token', 'route.request.querystring.token'],
  ['header', 'route.request.header.X-Token'],
] as const) {
  addStage(stageName, {
    $connect: {
      integration: integration(),
      authorizer: new WebSocketLambdaAuthorizer(`${stageName}Authorizer`, authorizer.function, {
        identitySource: [identitySource],
      }),
    },
    $disconnect: oneWay(),
    $default: reply(),
  });
}

function addQueue(id: string, props: QueueProps = {}): Queue {
  const queue = new Queue(stack, id, { enforceSSL: true, removalPolicy: RemovalPolicy.DESTROY, ...props });
  new CfnOutput(stack, `${id}QueueUrl`, { value: queue.queueUrl });
  return queue;
}

interface Worker {
  readonly queue: Queue;
  readonly batchSize: number;
  readonly maxConcurrency?: number;
}

function addWorker(id: string, { queue, ...mapping }: Worker): void {
  const worker = observer(id, 'worker.handler', WORKER_TIMEOUT);
  worker.allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], queue.queueArn);
  new EventSourceMapping(stack, `${id}Source`, {
    target: worker.function,
    eventSourceArn: queue.queueArn,
    reportBatchItemFailures: true,
    ...mapping,
  });
}

const visibilityTimeout = Duration.seconds(VISIBILITY_SECONDS);
addWorker('PartialWorker', { queue: addQueue('Partial', { visibilityTimeout }), batchSize: 10 });
const deadLetters = addQueue('DeadLetters');
const deadLetterQueue = { queue: deadLetters, maxReceiveCount: RECEIVE_COUNT_MAX };
addWorker('RetryWorker', { queue: addQueue('Retry', { visibilityTimeout, deadLetterQueue }), batchSize: 10 });
addWorker('BacklogWorker', { queue: addQueue('Backlog'), batchSize: 1, maxConcurrency: CONCURRENCY_MAX });

const bus = new EventBus(stack, 'Bus');
new Rule(stack, 'ToQueue', {
  eventBus: bus,
  eventPattern: { source: [EVENT_SOURCE] },
  targets: [new SqsQueue(addQueue('Events'))],
});

new CfnOutput(stack, 'EventBusName', { value: bus.eventBusName });
new CfnOutput(stack, 'ObservationsTable', { value: observations.tableName });
