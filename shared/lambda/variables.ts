/** The environment variables that the construct sets and the Lambdas read: each by this name, at both ends. */
export const VARIABLES = [
  'CONNECTIONS_TABLE',
  'SUBSCRIPTIONS_TABLE',
  'TOPICS_TABLE',
  'MESSAGES_TABLE',
  'ACCESS_TABLE',
  'EVENT_BUS_NAME',
  'DELIVERY_QUEUE_URL',
  'SLOW_QUEUE_URL',
  'CLOSING_QUEUE_URL',
  'DELIVERY_DEAD_LETTERS_URL',
  'INGEST_DEAD_LETTERS_URL',
  'CLOSING_DEAD_LETTERS_URL',
  'CALLBACK_URL',
  'SUBSCRIPTIONS_MAX',
  'ROLLOVER_AFTER_SECONDS',
  'INLINE_MAX',
  'SHARD_SUBSCRIBERS_MAX',
  'DELIVERY_ATTEMPTS_MAX',
  'POST_TIMEOUT_MS',
  'TRANSPORT',
  'REQUESTS_PER_SECOND_MAX',
  'ENVIRONMENTS_MAX',
  'AUTHORIZATION',
  'GRANTS_SECRET',
  'ISSUERS',
  'LIMITS',
] as const;
export type Variable = (typeof VARIABLES)[number];

/** Settings that would not fit the 4 KB of a Lambda's variables: each is a JSON file of this name beside the code. */
export const SETTINGS_FILES = { NAMESPACES: 'namespaces.json', AUTH: 'auth.json' } as const;
export type SettingsFile = keyof typeof SETTINGS_FILES;

/** Set by Lambda itself, which gives an environment new values only by replacing it. */
export type LambdaVariable =
  | 'LAMBDA_TASK_ROOT'
  | 'AWS_REGION'
  | 'AWS_ACCESS_KEY_ID'
  | 'AWS_SECRET_ACCESS_KEY'
  | 'AWS_SESSION_TOKEN';
