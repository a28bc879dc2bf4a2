import { createLimit, type Limit, mapAll, mapLimit } from '../../shared/async.ts';
import type { Connections } from '../../shared/data/connections.ts';
import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';
import type { Revocations } from '../../shared/data/revocations.ts';
import type { HeldToken } from '../../shared/data/standing.ts';
import type { Post } from '../../shared/delivery/post.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { WorkerResult } from '../../shared/lambda/worker.ts';
import type { ClosingFrame } from '../../shared/protocol/acks.ts';
import { ClientError } from '../../shared/protocol/errors.ts';
import type { Closings, RevocationCheck } from '../../shared/queues/closings.ts';
import type { DeadLetters } from '../../shared/queues/queues.ts';
import { parseTask, type Task } from './parse.ts';

export interface CloseDeps extends RowDeps {
  readonly connections: Pick<Connections, 'close' | 'held' | 'ofUser'>;
  readonly revocations: Pick<Revocations, 'revoke'>;
  readonly closings: Pick<Closings, 'closeAt' | 'lookAgain'>;
  /** Where events go that no later try can make sense of. */
  readonly badEvents: DeadLetters;
  readonly post: Post;
  /** Closes a connection. Answers with whether there was one that is open. */
  readonly disconnect: (connectionId: string) => Promise<boolean>;
  readonly now: () => number;
}

/**
 * Of all records of an invocation. With the second that a post may take, a thousand connections that hang are closed
 * within half a minute.
 */
export const CLOSED_IN_FLIGHT_MAX = 100;
/**
 * A connection that is still in its handshake cannot be closed yet, and the index of users lags behind. After so long a
 * handshake that was going on is over: `$connect` has 10 s.
 */
const LOOK_AGAIN_MS = 12_000;
const LOOKS_MAX = 3;
/** How far the clock of who has asked for a look may be ahead: less than renewals are apart, or looks would pile up. */
const CLOCKS_APART_MS = 2_000;

const EXPIRED: ClosingFrame = {
  type: 'closing',
  code: 'expired',
  reconnect: true,
  message: 'the token has ended; connect again with another one',
};
const revokedFrame = (reconnect: boolean): ClosingFrame => ({
  type: 'closing',
  code: 'revoked',
  reconnect,
  message: 'the token was revoked',
});

/** One invocation. */
interface Run extends CloseDeps {
  readonly stopAtMs: number;
  readonly places: Limit;
  /** Connections that were closed and could not be told why. */
  untold: number;
}

/** Closes the connections whose token is over or revoked. Each record is settled by itself. */
export async function close(
  records: readonly QueueRecord[],
  deps: CloseDeps,
  stopAtMs: number,
): Promise<WorkerResult> {
  const run: Run = { ...deps, stopAtMs, places: createLimit(CLOSED_IN_FLIGHT_MAX), untold: 0 };
  const results = await mapLimit(records, records.length, (record) => work(record, run));
  const failed = results.flatMap((result, index) => {
    const record = records[index];
    return result.status === 'rejected' && record ? [{ record, reason: result.reason }] : [];
  });
  return { failed, remarks: run.untold > 0 ? { untold: run.untold } : undefined };
}

/** A bad event becomes a dead letter with its reason. */
async function work(record: QueueRecord, run: Run): Promise<void> {
  const task = taskOf(record);
  if (task instanceof ClientError) return run.badEvents.bury(record.body, task.message);
  if ('connectionIds' in task) return forEach(task.connectionIds, closeIfOver, run);
  if ('revoked' in task) return closeRevoked(task, run);
  // Written down before anybody looks: `$connect` looks the other way round.
  await run.revocations.revoke(task.revoke, task.atMs);
  await closeRevoked({ revoked: task.revoke, atMs: task.atMs, looks: 0 }, run);
}

function taskOf(record: QueueRecord): Task | ClientError {
  try {
    return parseTask(record);
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

async function closeRevoked(check: RevocationCheck, run: Run): Promise<void> {
  const { revoked, atMs } = check;
  const looks = check.looks + 1;
  if (looks < LOOKS_MAX) await run.closings.lookAgain({ revoked, atMs, looks }, LOOK_AGAIN_MS);
  const closeIfRevoked = async (connectionId: string): Promise<void> => {
    const held = await run.connections.held(connectionId);
    if (!held?.tokens.some((token) => covers(check, token))) return;
    const isBarred = revoked.tokenId === undefined && held.tokens.every((token) => covers(check, token));
    await end(connectionId, revokedFrame(!isBarred), run);
  };
  for await (const page of run.connections.ofUser(revoked.userId)) await forEach(page, closeIfRevoked, run);
}

/** Whether a token of that user is revoked. One that says nothing of itself may be. */
function covers({ revoked, atMs }: RevocationCheck, { tokenId, issuedAtMs = 0 }: HeldToken): boolean {
  if (revoked.tokenId === undefined) return issuedAtMs <= atMs;
  return tokenId === undefined || tokenId === revoked.tokenId;
}

async function closeIfOver(connectionId: string, run: Run): Promise<void> {
  const held = await run.connections.held(connectionId);
  // Without an item it may be open all the same: TTL deletes what has ended.
  const leftMs = held ? held.endsAtMs - run.now() : 0;
  // Whoever has put the end off has seen to a check of its own, or the sweep does; each one here would come back for ever.
  if (leftMs > CLOCKS_APART_MS) return;
  if (leftMs > 0) return run.closings.closeAt(connectionId, run.now() + leftMs);
  const isOver = await end(connectionId, EXPIRED, run);
  if (held && !isOver) await run.closings.closeAt(connectionId, run.now() + LOOK_AGAIN_MS);
}

/** Answers with whether that is the end of it: a connection in its handshake is gone for now, and keeps its item. */
async function end(connectionId: string, frame: ClosingFrame, run: Run): Promise<boolean> {
  const { outcome } = await run.post(connectionId, Buffer.from(JSON.stringify(frame)));
  // It is closed all the same.
  if (outcome !== 'delivered' && outcome !== 'gone') run.untold += 1;
  const askedAtMs = run.now();
  const wasOpen = await run.disconnect(connectionId);
  return (await forgetConnection(connectionId, run, wasOpen ? undefined : askedAtMs)) || wasOpen;
}

/** One that fails keeps none of the others. */
async function forEach(
  connectionIds: readonly string[],
  task: (connectionId: string, run: Run) => Promise<void>,
  run: Run,
): Promise<void> {
  await mapAll(connectionIds, CLOSED_IN_FLIGHT_MAX, async (connectionId) => {
    await run.places.enter();
    try {
      if (run.now() >= run.stopAtMs) throw new Error('expected time for every connection, got none for some');
      await task(connectionId, run);
    } finally {
      run.places.leave();
    }
  });
}
