import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { REMOVAL_POLICIES } from './removal.ts';
import type { CompleteSettings } from './settings.ts';
import { SLOW_BATCHING_WINDOW, WORKER_TIMEOUT } from './workers.ts';

/**
 * `ingest` holds what was published, `delivery` what is to be posted, `slow` what is to be to connections that hang, and
 * `closing`, where connections have tokens, which of them may have to be closed: a backlog of messages does not delay that.
 */
export type Queues = Readonly<Record<'ingest' | 'delivery' | 'slow', Queue>> & { readonly closing?: Queue };
export type DeadLetterQueues = Readonly<Record<'ingest' | 'delivery', Queue>> & { readonly closing?: Queue };

/** AWS asks for six times the function timeout and the batching window, or a slow batch is delivered twice. */
const visibilityTimeout = (batchingWindow = Duration.seconds(0)): Duration =>
  Duration.seconds(6 * WORKER_TIMEOUT.toSeconds() + batchingWindow.toSeconds());
/**
 * A record that fails comes back after about 1, 2, 4, 8, 15, 15 … s (shared/queues/redelivery.ts), and at the least after
 * half of each: of 15 receives the last is 88 s after the first or later, so that a minute of throttled tables makes no
 * dead letter. A record that its worker dies of is hidden for the whole visibility timeout each time: two hours in all.
 */
const RECEIVE_COUNT_MAX = 15;

/** The queues that workers take from, and for each the one that gets what could not be worked on. */
export function createQueues(
  scope: Construct,
  { auth, encryptionKey, removal }: CompleteSettings,
): { readonly queues: Queues; readonly deadLetterQueues: DeadLetterQueues } {
  const create = (id: string, props: QueueProps): Queue =>
    new Queue(scope, id, {
      ...(encryptionKey
        ? { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }
        : { encryption: QueueEncryption.SQS_MANAGED }),
      enforceSSL: true,
      ...props,
    });
  const letters = { retentionPeriod: Duration.days(14), removalPolicy: REMOVAL_POLICIES[removal] };
  const deadLetterQueues = {
    ingest: create('IngestDeadLetters', letters),
    delivery: create('DeliveryDeadLetters', letters),
  };
  const work = (id: string, queue: Queue, batchingWindow?: Duration): Queue =>
    create(id, {
      visibilityTimeout: visibilityTimeout(batchingWindow),
      deadLetterQueue: { queue, maxReceiveCount: RECEIVE_COUNT_MAX },
    });
  const queues = {
    ingest: work('Ingest', deadLetterQueues.ingest),
    delivery: work('Delivery', deadLetterQueues.delivery),
    slow: work('Slow', deadLetterQueues.delivery, SLOW_BATCHING_WINDOW),
  };
  if (!auth) return { queues, deadLetterQueues };
  const closing = create('ClosingDeadLetters', letters);
  return {
    queues: { ...queues, closing: work('Closing', closing) },
    deadLetterQueues: { ...deadLetterQueues, closing },
  };
}
