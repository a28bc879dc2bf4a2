import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { USER_INDEX } from '../shared/data/tables.ts';
import type { Variable } from '../shared/lambda/variables.ts';
import { keepsLastValues } from './namespaces.ts';
import { type Access, allow } from './service.ts';
import {
  CLOSING_BATCH_MAX,
  CLOSING_WORKERS_MAX,
  DELIVERY_BATCH_MAX,
  INGEST_BATCH_MAX,
  SLOW_BATCH_MAX,
  SLOW_WORKERS_MAX,
} from './sizes.ts';
import type { Parts } from './variables.ts';

/** A queue that a Lambda takes work from. */
interface WorkSource {
  readonly queue: Queue;
  readonly batchSize: number;
  /** How many run at the same time. */
  readonly workersMax: number;
  /** How long messages are gathered for a batch. */
  readonly batchingWindow?: Duration;
}
/** A Lambda that takes its work from queues. The first of them is its own: others have the id of their queue. */
export interface QueueWorker extends Access {
  readonly sources: readonly [WorkSource, ...WorkSource[]];
}

/** A worker whose every post hangs ends within this. */
export const WORKER_TIMEOUT = Duration.seconds(90);
/** Needed for batches of more than 10. With little traffic Lambda may wait for up to 20 s (guide, "Using Lambda with SQS"). */
export const SLOW_BATCHING_WINDOW = Duration.seconds(1);

/** Both workers deliver. */
const DELIVERY_VARIABLES: readonly Variable[] = [
  'CONNECTIONS_TABLE',
  'SUBSCRIPTIONS_TABLE',
  'TOPICS_TABLE',
  'DELIVERY_QUEUE_URL',
  'SLOW_QUEUE_URL',
  'DELIVERY_DEAD_LETTERS_URL',
  'CALLBACK_URL',
  'DELIVERY_ATTEMPTS_MAX',
  'POST_TIMEOUT_MS',
  'TRANSPORT',
  'REQUESTS_PER_SECOND_MAX',
  'ENVIRONMENTS_MAX',
];

/** The workers behind the queues, by the names of their Lambdas. */
export const queueWorkersOf = (parts: Omit<Parts, 'eventBus'>) => {
  const { settings, queues, deadLetterQueues } = parts;
  const { connections, subscriptions, topics, messages } = parts.tables;
  const deliver = [
    // The schedule of posts is there, and how many shards a topic has.
    allow(['dynamodb:UpdateItem'], topics.tableArn),
    allow(['dynamodb:DeleteItem'], connections.tableArn),
    allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn),
    allow(
      ['sqs:SendMessage'],
      queues.delivery.queueArn,
      queues.slow.queueArn,
      deadLetterQueues.delivery.queueArn,
    ),
    allow(['execute-api:ManageConnections'], connectionsArn('POST', parts)),
  ];
  return {
    fanout: {
      sources: [
        {
          queue: queues.ingest,
          batchSize: INGEST_BATCH_MAX,
          workersMax: settings.fanOutWorkersMax,
          batchingWindow: Duration.seconds(settings.ingestWindowSeconds),
        },
      ],
      reads: [
        ...DELIVERY_VARIABLES,
        'MESSAGES_TABLE',
        'NAMESPACES',
        'INGEST_DEAD_LETTERS_URL',
        'INLINE_MAX',
        'SHARD_SUBSCRIBERS_MAX',
      ],
      rights: [
        allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem'], topics.tableArn),
        ...(keepsLastValues(settings) ? [allow(['dynamodb:PutItem'], topics.tableArn)] : []),
        allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem'], messages.tableArn),
        allow(['dynamodb:Query'], subscriptions.tableArn, `${connections.tableArn}/index/${USER_INDEX}`),
        allow(['dynamodb:Scan'], connections.tableArn),
        allow(['sqs:SendMessage'], deadLetterQueues.ingest.queueArn),
        ...deliver,
      ],
    },
    deliver: {
      sources: [
        { queue: queues.delivery, batchSize: DELIVERY_BATCH_MAX, workersMax: settings.deliveryWorkersMax },
        {
          queue: queues.slow,
          batchSize: SLOW_BATCH_MAX,
          workersMax: SLOW_WORKERS_MAX,
          batchingWindow: SLOW_BATCHING_WINDOW,
        },
      ],
      reads: DELIVERY_VARIABLES,
      rights: deliver,
    },
  } satisfies Record<string, QueueWorker>;
};

/** What closes connections, if the settings take tokens. */
export function closeOf(parts: Parts): QueueWorker | undefined {
  const { connections, subscriptions, access } = parts.tables;
  const { queues, deadLetterQueues } = parts;
  if (!queues.closing || !deadLetterQueues.closing) return undefined;
  return {
    sources: [{ queue: queues.closing, batchSize: CLOSING_BATCH_MAX, workersMax: CLOSING_WORKERS_MAX }],
    reads: [
      'TRANSPORT',
      'CONNECTIONS_TABLE',
      'SUBSCRIPTIONS_TABLE',
      'ACCESS_TABLE',
      'CALLBACK_URL',
      'CLOSING_QUEUE_URL',
      'CLOSING_DEAD_LETTERS_URL',
    ],
    rights: [
      allow(['dynamodb:UpdateItem'], access.tableArn),
      allow(['dynamodb:Query'], `${connections.tableArn}/index/${USER_INDEX}`),
      allow(['dynamodb:GetItem', 'dynamodb:DeleteItem'], connections.tableArn),
      allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn),
      allow(['sqs:SendMessage'], queues.closing.queueArn, deadLetterQueues.closing.queueArn),
      allow(
        ['execute-api:ManageConnections'],
        connectionsArn('POST', parts),
        connectionsArn('DELETE', parts),
      ),
    ],
  };
}

/** The sweep, which looks for connections that are gone, and for those whose time is nearly over. */
export const sweepOf = (parts: Pick<Parts, 'settings' | 'tables' | 'queues' | 'api' | 'stage'>): Access => ({
  reads: [
    'AUTHORIZATION',
    'TRANSPORT',
    'CONNECTIONS_TABLE',
    'SUBSCRIPTIONS_TABLE',
    'CALLBACK_URL',
    'CLOSING_QUEUE_URL',
    'ACCESS_TABLE',
    'LIMITS',
  ],
  rights: [
    ...(parts.settings.limits.connections === undefined
      ? []
      : [allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], parts.tables.access.tableArn)]),
    allow(['dynamodb:Scan', 'dynamodb:DeleteItem'], parts.tables.connections.tableArn),
    allow(['dynamodb:BatchWriteItem'], parts.tables.subscriptions.tableArn),
    allow(['execute-api:ManageConnections'], connectionsArn('GET', parts)),
    ...(parts.queues.closing ? [allow(['sqs:SendMessage'], parts.queues.closing.queueArn)] : []),
  ],
});

export const connectionsArn = (method: string, { api, stage }: Pick<Parts, 'api' | 'stage'>): string =>
  api.arnForExecuteApiV2(`${method}/@connections/*`, stage.stageName);
