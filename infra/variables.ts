import { Stack, Token } from 'aws-cdk-lib';
import type { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { TrustedIssuer } from '../shared/auth/settings.ts';
import type { SettingsFile, Variable } from '../shared/lambda/variables.ts';
import type { DeadLetterQueues, Queues } from './queues.ts';
import type { CompleteSettings } from './settings.ts';
import { SLOW_WORKERS_MAX } from './sizes.ts';
import type { Tables } from './tables.ts';

/** What Lambdas are told the names of, and get rights to. */
export interface Parts {
  readonly settings: CompleteSettings;
  readonly tables: Tables;
  readonly queues: Queues;
  readonly deadLetterQueues: DeadLetterQueues;
  readonly eventBus: EventBus;
  readonly api: WebSocketApi;
  readonly stage: WebSocketStage;
  readonly grantsSecret: Secret | undefined;
}

/** In place of what the settings do without: a variable has to have a value. */
const NONE = 'none';

/** What is in every file of settings. */
export const filesOf = ({ settings }: Pick<Parts, 'settings'>): Readonly<Record<SettingsFile, string>> => ({
  NAMESPACES: JSON.stringify(settings.namespaces),
  AUTH: JSON.stringify({ ...settings.auth, issuers: issuersIn(settings, false) }),
});

/** Those of which something is known only once it is deployed, like the id of a user pool of the same app; or the others. */
const issuersIn = ({ auth }: CompleteSettings, isDeployed: boolean): readonly TrustedIssuer[] =>
  (auth?.issuers ?? []).filter((issuer) => Token.isUnresolved(JSON.stringify(issuer)) === isDeployed);

/** The value of every variable. A Lambda gets only those that it reads. */
export const valuesOf = (parts: Omit<Parts, 'api'>): Readonly<Record<Variable, string>> => {
  const { settings, tables, queues, deadLetterQueues, eventBus, stage, grantsSecret } = parts;
  return {
    CONNECTIONS_TABLE: tables.connections.tableName,
    SUBSCRIPTIONS_TABLE: tables.subscriptions.tableName,
    TOPICS_TABLE: tables.topics.tableName,
    MESSAGES_TABLE: tables.messages.tableName,
    ACCESS_TABLE: tables.access.tableName,
    EVENT_BUS_NAME: eventBus.eventBusName,
    DELIVERY_QUEUE_URL: queues.delivery.queueUrl,
    SLOW_QUEUE_URL: queues.slow.queueUrl,
    CLOSING_QUEUE_URL: queues.closing?.queueUrl ?? NONE,
    DELIVERY_DEAD_LETTERS_URL: deadLetterQueues.delivery.queueUrl,
    INGEST_DEAD_LETTERS_URL: deadLetterQueues.ingest.queueUrl,
    CLOSING_DEAD_LETTERS_URL: deadLetterQueues.closing?.queueUrl ?? NONE,
    CALLBACK_URL: stage.callbackUrl,
    SUBSCRIPTIONS_MAX: String(settings.subscriptionsPerConnectionMax),
    ROLLOVER_AFTER_SECONDS: String(settings.rolloverAfterSeconds),
    INLINE_MAX: String(settings.inlineSubscribersMax),
    SHARD_SUBSCRIBERS_MAX: String(settings.subscribersPerShardMax),
    DELIVERY_ATTEMPTS_MAX: String(settings.deliveryAttemptsMax),
    POST_TIMEOUT_MS: String(settings.postTimeoutMs),
    TRANSPORT: settings.transport,
    REQUESTS_PER_SECOND_MAX: String(settings.requestsPerSecondMax),
    // Everything that posts shares one budget of requests.
    ENVIRONMENTS_MAX: String(settings.fanOutWorkersMax + settings.deliveryWorkersMax + SLOW_WORKERS_MAX),
    AUTHORIZATION: settings.auth ? 'required' : 'none',
    GRANTS_SECRET: grantsSecret?.secretArn ?? NONE,
    ISSUERS: Stack.of(stage).toJsonString(issuersIn(settings, true)),
    LIMITS: JSON.stringify(settings.limits),
  };
};
