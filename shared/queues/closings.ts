import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { chunks, mapAll } from '../async.ts';
import type { Revocation } from '../protocol/revocation.ts';

/**
 * What ends sooner than this has its check in the queue. The sweep sees to that once a minute, so that two of its runs may
 * fail; whoever notes an end that is nearer does so itself.
 */
export const LOOK_AHEAD_MS = 180_000;
/** What an SQS queue keeps a message back for at the most. */
const DELAY_MAX_MS = 900_000;
/** One message, and so one invocation of the worker, for as many connections that end in the same second. */
const CONNECTIONS_MAX = 100;
const SENDS_IN_FLIGHT_MAX = 8;

/** Asks the worker to look whether the time of connections is over, and then to close them. */
interface EndCheck {
  readonly connectionIds: readonly string[];
}
/** Asks it to look again for connections of a token that is revoked. */
export interface RevocationCheck {
  readonly revoked: Revocation;
  /** What was issued until then is. */
  readonly atMs: number;
  /** Looks that there have been. */
  readonly looks: number;
}
/** What Fanwire itself puts into the queue; events that revoke tokens come there from the bus. */
export type Check = EndCheck | RevocationCheck;

export interface Closings {
  /** Has the worker look at a connection then, which has to be within a quarter of an hour. */
  closeAt(connectionId: string, atMs: number): Promise<void>;
  /** The same for several, each at the time of its own. */
  closeEach(endings: readonly { readonly connectionId: string; readonly endsAtMs: number }[]): Promise<void>;
  lookAgain(check: RevocationCheck, afterMs: number): Promise<void>;
}

export function createClosings(
  client: Pick<SQSClient, 'send'>,
  queueUrl: string,
  now: () => number,
): Closings {
  const send = async (check: Check, atMs: number): Promise<void> => {
    const delayMs = Math.min(Math.max(atMs - now(), 0), DELAY_MAX_MS);
    await client.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify(check),
        DelaySeconds: Math.ceil(delayMs / 1000),
      }),
    );
  };
  return {
    closeAt: (connectionId, atMs) => send({ connectionIds: [connectionId] }, atMs),

    async closeEach(endings) {
      const checks = [...Map.groupBy(endings, ({ endsAtMs }) => Math.ceil(endsAtMs / 1000) * 1000)].flatMap(
        ([atMs, group]) => [...chunks(group, CONNECTIONS_MAX)].map((part) => ({ atMs, part })),
      );
      await mapAll(checks, SENDS_IN_FLIGHT_MAX, ({ atMs, part }) =>
        send({ connectionIds: part.map(({ connectionId }) => connectionId) }, atMs),
      );
    },

    lookAgain: (check, afterMs) => send(check, now() + afterMs),
  };
}
