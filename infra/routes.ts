import { readGrantsSecret } from './authorizer.ts';
import { limitsRates } from './limits.ts';
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

type RouteParts = Pick<Parts, 'tables' | 'queues' | 'eventBus' | 'settings' | 'grantsSecret'>;

/** What a route that takes grants reads for it. */
const GRANTS = ['CALLBACK_URL', 'GRANTS_SECRET', 'ACCESS_TABLE'] as const;

/** A grant is verified with the secret, any token has to be none that is revoked. */
export const takeTokens = ({ tables, grantsSecret }: Pick<RouteParts, 'tables' | 'grantsSecret'>) => [
  ...readGrantsSecret({ grantsSecret }),
  allow(['dynamodb:BatchGetItem'], tables.access.tableArn),
];

/** Only where tokens are taken: elsewhere there is no such action. */
export function authenticateOf(parts: RouteParts): Route {
  const { tables, queues } = parts;
  const route = {
    key: 'authenticate',
    reads: [
      'AUTH',
      'ISSUERS',
      'TRANSPORT',
      'CONNECTIONS_TABLE',
      'SUBSCRIPTIONS_TABLE',
      'CLOSING_QUEUE_URL',
      'NAMESPACES',
      ...GRANTS,
    ],
    rights: [
      allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], tables.connections.tableArn),
      allow(['dynamodb:UpdateItem'], tables.subscriptions.tableArn),
      ...(queues.closing ? [allow(['sqs:SendMessage'], queues.closing.queueArn)] : []),
      ...takeTokens(parts),
    ],
  } satisfies Route;
  return limited(route, parts);
}

/** The routes, by the names of their Lambdas. */
export const routesOf = (parts: RouteParts) => {
  const { tables, queues, eventBus, settings, grantsSecret } = parts;
  const { connections, subscriptions, topics, messages, access } = tables;
  /** What a connection may do since it was renewed. */
  const readStanding = settings.auth ? [allow(['dynamodb:GetItem'], connections.tableArn)] : [];
  const takeGrants = grantsSecret ? takeTokens({ tables, grantsSecret }) : [];
  /** A reader that finds an offset undecided decides it. */
  const readLogs = allow(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'], messages.tableArn);
  // Users are known where tokens are taken.
  const countsOfUsers = settings.limits.connectionsPerUser !== undefined && queues.closing !== undefined;
  const count =
    settings.limits.connections !== undefined || countsOfUsers
      ? [allow(['dynamodb:UpdateItem'], access.tableArn)]
      : [];
  const routes = {
    connect: {
      key: '$connect',
      reads: [
        'AUTHORIZATION',
        'TRANSPORT',
        'CONNECTIONS_TABLE',
        'ACCESS_TABLE',
        'CLOSING_QUEUE_URL',
        'LIMITS',
      ],
      rights: [
        allow(['dynamodb:PutItem'], connections.tableArn),
        ...count,
        ...(countsOfUsers ? [allow(['dynamodb:GetItem'], connections.tableArn, access.tableArn)] : []),
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
      reads: ['TRANSPORT', 'CONNECTIONS_TABLE', 'SUBSCRIPTIONS_TABLE', 'ACCESS_TABLE', 'LIMITS'],
      rights: [
        ...count,
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
        ...GRANTS,
      ],
      rights: [
        allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn, connections.tableArn),
        allow(['dynamodb:PutItem'], subscriptions.tableArn),
        readLogs,
        ...takeGrants,
      ],
    },
    history: {
      key: 'history',
      reads: [
        'AUTHORIZATION',
        'TRANSPORT',
        'CONNECTIONS_TABLE',
        'TOPICS_TABLE',
        'MESSAGES_TABLE',
        'NAMESPACES',
        ...GRANTS,
      ],
      rights: [allow(['dynamodb:GetItem'], topics.tableArn), readLogs, ...readStanding, ...takeGrants],
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
      reads: [
        'AUTHORIZATION',
        'TRANSPORT',
        'CONNECTIONS_TABLE',
        'EVENT_BUS_NAME',
        'TOPICS_TABLE',
        'MESSAGES_TABLE',
        'NAMESPACES',
      ],
      rights: [
        ...readStanding,
        allow(['events:PutEvents'], eventBus.eventBusArn),
        allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], topics.tableArn),
        ...(keepsLastValues(settings) ? [allow(['dynamodb:PutItem'], topics.tableArn)] : []),
        allow(['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem'], messages.tableArn),
      ],
    },
    send: {
      key: 'send',
      reads: ['AUTHORIZATION', 'TRANSPORT', 'CONNECTIONS_TABLE', 'EVENT_BUS_NAME'],
      rights: [...readStanding, allow(['events:PutEvents'], eventBus.eventBusArn)],
    },
    whoami: {
      key: 'whoami',
      reads: ['TRANSPORT', 'CONNECTIONS_TABLE', 'CALLBACK_URL'],
      rights: [allow(['dynamodb:GetItem'], connections.tableArn)],
    },
    ping: {
      key: 'ping',
      reads: [
        'AUTHORIZATION',
        'TRANSPORT',
        'CONNECTIONS_TABLE',
        'TOPICS_TABLE',
        'NAMESPACES',
        'ROLLOVER_AFTER_SECONDS',
      ],
      rights: [
        allow(['dynamodb:GetItem'], connections.tableArn),
        allow(['dynamodb:BatchGetItem'], topics.tableArn),
      ],
    },
    default: { key: '$default', id: 'DefaultRoute', reads: ['TRANSPORT'], rights: [] },
  } satisfies Record<string, Route>;
  const all = Object.entries<Route>(routes).map(([name, route]) => [name, limited(route, parts)]);
  return Object.fromEntries(all) as Record<keyof typeof routes, Route>;
};

/** What every route that frames select has, so that they are counted. */
function limited(route: Route, parts: Pick<RouteParts, 'tables' | 'settings'>): Route {
  if (['$connect', '$disconnect'].includes(route.key)) return route;
  return {
    ...route,
    reads: [...route.reads, 'LIMITS', 'ACCESS_TABLE'],
    rights: [...route.rights, ...takeAllowances(parts)],
  };
}

/** Of what counts commands, where they are limited. */
export const takeAllowances = ({ tables, settings }: Pick<RouteParts, 'tables' | 'settings'>) =>
  limitsRates(settings.limits)
    ? [allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], tables.access.tableArn)]
    : [];
