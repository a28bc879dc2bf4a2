/** The stages of the app: each is an API of its own. Locally one port has one path for each, so no two names are alike. */
export const STAGES = ['main', 'noconnect', 'bare', 'impatient', 'token', 'header'] as const;
export type StageName = (typeof STAGES)[number];

/** How long `impatient`'s $connect may take, and the route `timeout` of `main`: 29 s, scaled. */
export const INTEGRATION_TIMEOUT_MS = 500;

/** How long a message of the queues `retry` and `partial` stays hidden. */
export const VISIBILITY_SECONDS = 2;

/** How often a message of the queue `retry` is received before it is a dead letter. */
export const RECEIVE_COUNT_MAX = 2;

/** How many invocations the mapping of the queue `backlog` may have at once. */
export const CONCURRENCY_MAX = 2;

export const EVENT_SOURCE = 'fanwire.conformance';
