import { keepsLastValues } from './namespaces.ts';
import { type Access, allow } from './service.ts';
import type { Parts } from './variables.ts';

/** A route of the API, and what the Lambda behind it has. */
export interface Route extends Access {
  /** What selects it: the action of a frame, or one of API Gateway's own keys. */
  readonly key: string;
  /** The id of its construct, if it is not the Lambda's name. */
  readonly id?: string;
}

/** The routes, by the names of their Lambdas. */
export const routesOf = ({
  tables,
  queues,
  eventBus,
  settings,
}: Pick<Parts, 'tables' | 'queues' | 'eventBus' | 'settings'>) => {
  const { connections, subscriptions, topics, messages, access } = tables;
  /** A reader that finds an offset undecided decides it. */
  const readLogs = allow(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'], messages.tableArn);
  return {
    connect: {
      key: '$connect',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'CONNECTIONS_TABLE', 'ACCESS_TABLE', 'CLOSING_QUEUE_URL'],
      rights: [
        allow(['dynamodb:PutItem'], connections.tableArn),
        ...(queues.closing
          ? [
              allow(['dynamodb:DeleteItem'], connections.tableArn),
              allow(['dynamodb:BatchGetItem'], access.tableArn),
              allow(['sqs:SendMessage'], queues.closing.queueArn),
            ]
          : []),
      ],
    },
    disconnect: {
      key: '$disconnect',
      reads: ['TRANSPORT', 'CONNECTIONS_TABLE', 'SUBSCRIPTIONS_TABLE'],
      rights: [
        allow(['dynamodb:DeleteItem'], connections.tableArn),
        allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn),
      ],
    },
    subscribe: {
      key: 'subscribe',
      reads: [
        'AUTHORIZATION',
        'TRANSPORT',
        'CONNECTIONS_TABLE',
        'SUBSCRIPTIONS_TABLE',
        'TOPICS_TABLE',
        'MESSAGES_TABLE',
        'NAMESPACES',
        'SUBSCRIPTIONS_MAX',
      ],
      rights: [
        allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn, connections.tableArn),
        allow(['dynamodb:PutItem'], subscriptions.tableArn),
        readLogs,
      ],
    },
    history: {
      key: 'history',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'TOPICS_TABLE', 'MESSAGES_TABLE', 'NAMESPACES'],
      rights: [allow(['dynamodb:GetItem'], topics.tableArn), readLogs],
    },
    unsubscribe: {
      key: 'unsubscribe',
      reads: ['TRANSPORT', 'CONNECTIONS_TABLE', 'SUBSCRIPTIONS_TABLE', 'TOPICS_TABLE'],
      rights: [
        allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], connections.tableArn),
        allow(['dynamodb:BatchWriteItem'], subscriptions.tableArn),
        allow(['dynamodb:BatchGetItem'], topics.tableArn),
      ],
    },
    publish: {
      key: 'publish',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'EVENT_BUS_NAME', 'TOPICS_TABLE', 'MESSAGES_TABLE', 'NAMESPACES'],
      rights: [
        allow(['events:PutEvents'], eventBus.eventBusArn),
        allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn),
        ...(keepsLastValues(settings) ? [allow(['dynamodb:PutItem'], topics.tableArn)] : []),
        allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem'], messages.tableArn),
      ],
    },
    send: {
      key: 'send',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'EVENT_BUS_NAME'],
      rights: [allow(['events:PutEvents'], eventBus.eventBusArn)],
    },
    whoami: {
      key: 'whoami',
      reads: ['TRANSPORT', 'CONNECTIONS_TABLE', 'CALLBACK_URL'],
      rights: [allow(['dynamodb:GetItem'], connections.tableArn)],
    },
    ping: {
      key: 'ping',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'CONNECTIONS_TABLE', 'TOPICS_TABLE', 'ROLLOVER_AFTER_SECONDS'],
      rights: [
        allow(['dynamodb:GetItem'], connections.tableArn),
        allow(['dynamodb:BatchGetItem'], topics.tableArn),
      ],
    },
    default: { key: '$default', id: 'DefaultRoute', reads: [], rights: [] },
  } satisfies Record<string, Route>;
};
