/** What the construct gives its Lambdas, and what the model of costs and times counts with: needs no CDK. */

/** The routes and the sweep wait for tables; they have little to compute. */
export const ROUTE_MEMORY_MB = 256;
/** Processor time comes with memory, and posts need it: 0.29 of a processor. */
export const WORKER_MEMORY_MB = 512;
/** Without a batching window SQS hands a Lambda no more at once. */
export const INGEST_BATCH_MAX = 10;
/** Enough that a worker has other posts to make while some hang. */
export const DELIVERY_BATCH_MAX = 10;
/**
 * A worker is busy for one `postTimeoutMs`, whatever hangs, so that two with large batches do for ten messages a second
 * to ten connections that hang, in all of their attempts. As many as a worker has posts in flight: if each is for another
 * connection, none waits for a second timeout.
 */
export const SLOW_BATCH_MAX = 200;
/** The least that Lambda takes. */
export const SLOW_WORKERS_MAX = 2;
/** A record may be of a hundred connections, and a worker closes some hundred in a second. */
export const CLOSING_BATCH_MAX = 10;
export const CLOSING_WORKERS_MAX = 2;
export const SWEEP_PERIOD_SECONDS = 60;
/** A sweep may last for longer than its period: no third one is to begin. */
export const SWEEPS_MAX = 2;
