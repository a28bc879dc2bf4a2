import { lacksRight, type RightsGuard } from '../../shared/auth/guard.ts';
import type { OwnToken } from '../../shared/auth/own-token.ts';
import { type Connections, connectionEndsAtSeconds } from '../../shared/data/connections.ts';
import type { Shards } from '../../shared/data/shards.ts';
import type { OwnEnd, Standing } from '../../shared/data/standing.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import { endsAtMs } from '../../shared/lambda/bearer.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import type { CommandLimits } from '../../shared/limits/limits.ts';
import { ClientError, ErrorCode, givenUp } from '../../shared/protocol/errors.ts';
import type { SubscribeFrame } from '../../shared/protocol/parse.ts';

export interface RowDeps {
  readonly connections: Pick<Connections, 'addSubscription' | 'noteEnd'>;
  readonly subscriptions: Pick<Subscriptions, 'put'>;
  readonly shards: Pick<Shards, 'ensure'>;
  readonly subscriptionsMax: number;
  readonly guard: RightsGuard;
  readonly limits: Pick<CommandLimits<never>, 'take'>;
  readonly random: () => number;
}

/** Renewals of its connection that may come in between before a subscribe gives up. */
const ATTEMPTS_MAX = 3;

/**
 * The topic's item comes first, because the fan-out looks for subscribers only where there is one; the subscription
 * row comes last, because it is what makes messages arrive. The right counts as it is when the subscription is listed: a
 * renewal before that is known here, and one after it settles the row.
 */
export async function addRow(
  input: RouteInput<SubscribeFrame>,
  grant: OwnToken | undefined,
  deps: RowDeps,
): Promise<void> {
  const { connectionId, connectedAtMs, frame } = input;
  const pattern = frame.topic;
  const { guard, limits, random } = deps;
  // As long as the connection may live if it is renewed, which does not look at the item again.
  const endsAtSeconds = connectionEndsAtSeconds(connectedAtMs);
  const shardCount = await deps.shards.ensure(pattern, endsAtSeconds, () =>
    limits.take(input, { topics: 1 }),
  );
  const granted = grant && { atMs: endsAtMs(grant), grant };
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { shard, standing } = await list(input, Math.floor(random() * shardCount), granted, deps);
    const endMs = granted?.atMs ?? guard.endOf(input, standing, 'subscribe', pattern);
    // Its right has been taken back just now. The renewal that did so settles what there is.
    if (endMs === undefined) throw lacksRight('subscribe', pattern);
    const lastEndMs = guard.lastEnd(input, standing);
    if (!granted) await noteEnd(input, standing, endMs < lastEndMs ? { atMs: endMs } : undefined, deps);
    const expiresAtSeconds = connectionEndsAtSeconds(connectedAtMs, Math.min(endMs, lastEndMs));
    const row = { pattern, shard, connectionId };
    if (await deps.subscriptions.put(row, expiresAtSeconds, standing.renewals)) return;
  }
  throw new ClientError(
    ErrorCode.unavailable,
    `expected fewer than ${ATTEMPTS_MAX} renewals of the connection meanwhile, got as many; send it again`,
  );
}

async function list(
  { connectionId, frame }: RouteInput<SubscribeFrame>,
  shard: number,
  end: OwnEnd | undefined,
  { connections, subscriptionsMax }: RowDeps,
): Promise<{ readonly shard: number; readonly standing: Standing }> {
  const { topic } = frame;
  const listed = await connections.addSubscription(connectionId, topic, shard, subscriptionsMax, end);
  if (listed === 'limit_reached') {
    throw new ClientError(
      ErrorCode.limitExceeded,
      `expected at most ${subscriptionsMax} subscriptions on a connection, got one more`,
    );
  }
  if (listed === 'not_connected') throw givenUp();
  return listed;
}

/** A usual subscription lasts as long as its connection: there is nothing to note. */
async function noteEnd(
  { connectionId, frame }: RouteInput<SubscribeFrame>,
  { ends }: Standing,
  end: OwnEnd | undefined,
  { connections }: RowDeps,
): Promise<void> {
  if (end || ends.has(frame.topic)) await connections.noteEnd(connectionId, frame.topic, end);
}
