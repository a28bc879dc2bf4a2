import type { QueueRecord } from '../../shared/lambda/events.ts';

const QUEUE_ARN = 'arn:aws:sqs:eu-west-1:000000000000:jobs';

interface Received {
  readonly messageId: string;
  readonly body?: string;
  /** How often it has been handed out. */
  readonly receives?: number;
  /** When the queue took it. */
  readonly sentAtMs?: number;
  readonly queueArn?: string;
}

/** A record as a worker gets it. */
export const queueRecord = ({
  messageId,
  body = '',
  receives = 1,
  sentAtMs = Date.UTC(2026, 10, 20, 5),
  queueArn = QUEUE_ARN,
}: Received): QueueRecord => ({
  messageId,
  body,
  receiptHandle: `${messageId}/${receives}`,
  eventSourceARN: queueArn,
  attributes: { ApproximateReceiveCount: String(receives), SentTimestamp: String(sentAtMs) },
});
