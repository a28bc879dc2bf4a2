import type { RightsGuard } from '../../shared/auth/guard.ts';
import { type Connections, connectionEndsAtSeconds } from '../../shared/data/connections.ts';
import type { Logs } from '../../shared/data/log.ts';
import type { ReplayDeps } from '../../shared/data/replay.ts';
import type { Shards } from '../../shared/data/shards.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import { endsAtMs } from '../../shared/lambda/bearer.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError, describe, ErrorCode, givenUp } from '../../shared/protocol/errors.ts';
import { Action } from '../../shared/protocol/frames.ts';
import {
  keepsHistory,
  type Namespace,
  type Namespaces,
  namespaceOf,
} from '../../shared/protocol/namespaces.ts';
import type { SubscribeFrame } from '../../shared/protocol/parse.ts';
import { isTopic, type Pattern } from '../../shared/protocol/topic.ts';
import { catchUp } from './catch-up.ts';

export interface SubscribeDeps extends ReplayDeps {
  readonly connections: Pick<Connections, 'addSubscription'>;
  readonly subscriptions: Pick<Subscriptions, 'put'>;
  readonly shards: Pick<Shards, 'ensure'>;
  readonly logs: ReplayDeps['logs'] & Pick<Logs, 'head' | 'last'>;
  readonly namespaces: Namespaces;
  readonly subscriptionsMax: number;
  readonly guard: RightsGuard;
  readonly random: () => number;
}

/** Writes the subscription, and only then reads the log: whatever is written to it later finds the subscription. */
export async function subscribe(
  input: RouteInput<SubscribeFrame>,
  deps: SubscribeDeps,
): Promise<AckFrame<'subscribe', string>> {
  const { connectionId, frame } = input;
  const { topic: pattern, position, rewind } = frame;
  const namespace = namespaceOf(pattern, deps.namespaces);
  deps.guard.expectMay(input.bearer, 'subscribe', pattern);
  if (rewind !== undefined) deps.guard.expectMay(input.bearer, 'history', pattern);
  expectAllowed(pattern, namespace);
  if (isTopic(pattern) && keepsHistory(namespace)) {
    await addRow(input, deps);
    // What it has missed is history, too.
    const recovery = namespace.recovery && deps.guard.may(input.bearer, 'history', pattern);
    const caughtUp = await catchUp(pattern, frame, { ...namespace, recovery }, connectionId, deps);
    return ack(Action.subscribe, frame, { topic: pattern, ...caughtUp });
  }
  if (rewind !== undefined) {
    throw new ClientError(
      ErrorCode.badRequest,
      `expected rewind only on a topic that keeps history, got ${describe(pattern)}`,
    );
  }
  await addRow(input, deps);
  return ack(Action.subscribe, frame, {
    topic: pattern,
    ...(position && { recovered: false, reason: 'no_history' }),
  });
}

function expectAllowed(pattern: Pattern, { wildcards }: Namespace): void {
  if (wildcards || isTopic(pattern)) return;
  throw new ClientError(
    ErrorCode.forbidden,
    `expected a topic, because its namespace has no wildcards, got ${describe(pattern)}`,
  );
}

/**
 * The topic's item comes first, because the fan-out looks for subscribers only where there is one; the subscription
 * row comes last, because it is what makes messages arrive.
 */
async function addRow(
  { connectionId, connectedAtMs, bearer, frame }: RouteInput<SubscribeFrame>,
  { connections, subscriptions, shards, subscriptionsMax, random }: SubscribeDeps,
): Promise<void> {
  const pattern = frame.topic;
  const expiresAtSeconds = connectionEndsAtSeconds(connectedAtMs, bearer && endsAtMs(bearer));
  const shardCount = await shards.ensure(pattern, expiresAtSeconds);
  const shard = await connections.addSubscription(
    connectionId,
    pattern,
    Math.floor(random() * shardCount),
    subscriptionsMax,
  );
  if (shard === 'limit_reached') {
    throw new ClientError(
      ErrorCode.limitExceeded,
      `expected at most ${subscriptionsMax} subscriptions on a connection, got one more`,
    );
  }
  if (shard === 'not_connected') throw givenUp();
  await subscriptions.put({ pattern, shard, connectionId }, expiresAtSeconds);
}
