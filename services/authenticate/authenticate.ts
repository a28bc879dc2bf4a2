import { mapAll } from '../../shared/async.ts';
import type { RightsGuard } from '../../shared/auth/guard.ts';
import type { TakeToken } from '../../shared/auth/own-token.ts';
import {
  type Connections,
  connectionEndsAtSeconds,
  RENEWAL_PAUSE_MS,
} from '../../shared/data/connections.ts';
import type { Standing } from '../../shared/data/standing.ts';
import type { SubscriptionRow, Subscriptions } from '../../shared/data/subscriptions.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError, ErrorCode, givenUp } from '../../shared/protocol/errors.ts';
import { Action } from '../../shared/protocol/frames.ts';
import type { AuthenticateFrame } from '../../shared/protocol/parse.ts';
import { type Closings, LOOK_AHEAD_MS } from '../../shared/queues/closings.ts';

export interface AuthenticateDeps {
  readonly takeToken: TakeToken;
  readonly connections: Pick<Connections, 'renew' | 'standing' | 'replaceEnd' | 'endAt'>;
  readonly subscriptions: Pick<Subscriptions, 'settle'>;
  readonly closings: Pick<Closings, 'closeAt'>;
  readonly guard: RightsGuard;
  readonly now: () => number;
}

const ROWS_IN_FLIGHT_MAX = 16;

/**
 * Goes on with another token. It is noted first, so that every subscribe from then on goes by it; then what is subscribed
 * to is settled; and at last the connection gets its new end. If this dies in between, the connection ends when it would
 * have, or the client, which has no answer, asks again, when it may: that does everything anew.
 */
export async function authenticate(
  input: RouteInput<AuthenticateFrame>,
  deps: AuthenticateDeps,
): Promise<AckFrame<'authenticate'>> {
  const { connectionId, connectedAtMs, frame } = input;
  const { connections, guard } = deps;
  const token = await deps.takeToken('token', frame.token, input);
  const renewed = await connections.renew(connectionId, token);
  if (!renewed) throw givenUp();
  if ('retryAfterMs' in renewed) throw tooSoon(renewed.retryAfterMs);
  const { standing, rows } = renewed;
  await forEach(rows, (row) => settle(row, standing, input, deps));
  // A subscribe that was under way has noted what it knew before its row was settled, or begins anew by this standing.
  const settled = await connections.standing(connectionId);
  if (!settled) throw givenUp();
  await forEach(rows, (row) => noteEnd(row, settled, input, deps));
  const endMs = guard.lastEnd(input, standing);
  const expiresAtSeconds = connectionEndsAtSeconds(connectedAtMs, endMs);
  if (!(await connections.endAt(connectionId, expiresAtSeconds, standing.renewals))) {
    throw new ClientError(
      ErrorCode.unavailable,
      'expected one authenticate at a time, got another meanwhile; send it again',
    );
  }
  if (endMs < deps.now() + LOOK_AHEAD_MS) await deps.closings.closeAt(connectionId, endMs);
  return ack(Action.authenticate, frame, { expiresAt: new Date(token.expiresAtMs).toISOString() });
}

const tooSoon = (retryAfterMs: number): ClientError =>
  new ClientError(
    ErrorCode.rateLimited,
    `expected ${RENEWAL_PAUSE_MS} ms between two tokens for a connection, got less; send it again in ${retryAfterMs} ms`,
    retryAfterMs,
  );

const forEach = (rows: readonly SubscriptionRow[], task: (row: SubscriptionRow) => Promise<void>) =>
  mapAll(rows, ROWS_IN_FLIGHT_MAX, task);

/** Whatever gives a right to it, a token or a grant, it lasts as long as the last of them, and never comes back to life. */
async function settle(
  row: SubscriptionRow,
  standing: Standing,
  input: RouteInput<AuthenticateFrame>,
  { subscriptions, guard, now }: AuthenticateDeps,
): Promise<void> {
  const byTokensMs = guard.endOf(input, standing, 'subscribe', row.pattern) ?? 0;
  const own = standing.ends.get(row.pattern);
  // Without a grant it is that of a token, whose place another may have taken.
  const endMs = Math.max(byTokensMs, own?.grant ? own.atMs : 0);
  const expiresAtSeconds = connectionEndsAtSeconds(
    input.connectedAtMs,
    Math.min(endMs, guard.lastEnd(input, standing)),
  );
  await subscriptions.settle(row, endMs <= now() ? 'over' : expiresAtSeconds, standing.renewals);
}

/** Of one that does not last as long as the connection, so that a ping can tell when it has ended. */
async function noteEnd(
  { pattern }: SubscriptionRow,
  standing: Standing,
  input: RouteInput<AuthenticateFrame>,
  { connections, guard, now }: AuthenticateDeps,
): Promise<void> {
  const nowMs = now();
  const before = standing.ends.get(pattern);
  // Its client is still to be told.
  if (before && before.atMs <= nowMs) return;
  const byTokensMs = guard.endOf(input, standing, 'subscribe', pattern) ?? nowMs;
  // A grant is for longer, and counts again when the next token is for less.
  if (before?.grant && before.atMs > byTokensMs) return;
  const after = byTokensMs < guard.lastEnd(input, standing) ? { atMs: byTokensMs } : undefined;
  if (after || before) await connections.replaceEnd(input.connectionId, pattern, after, before);
}
