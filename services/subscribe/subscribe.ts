import { CONNECTION_TTL_SECONDS, type Connections } from '../../shared/connections.ts';
import { ClientError, ErrorCode } from '../../shared/errors.ts';
import { type AckFrame, Action, ack, type SubscriptionFrame } from '../../shared/protocol.ts';
import type { RouteInput } from '../../shared/route.ts';
import type { Subscriptions } from '../../shared/subscriptions.ts';
import type { Topics } from '../../shared/topics.ts';

export interface SubscribeDeps {
  readonly connections: Pick<Connections, 'addSubscription'>;
  readonly subscriptions: Pick<Subscriptions, 'put'>;
  readonly topics: Pick<Topics, 'ensure'>;
  readonly subscriptionsMax: number;
  readonly random: () => number;
}

/**
 * The topic's item comes first, because the fan-out looks for subscribers only where there is one; the subscription
 * row comes last, because it is what makes messages arrive.
 */
export async function subscribe(
  { connectionId, connectedAtMs, frame }: RouteInput<SubscriptionFrame>,
  { connections, subscriptions, topics, subscriptionsMax, random }: SubscribeDeps,
): Promise<AckFrame> {
  const pattern = frame.topic;
  const expiresAtSeconds = Math.ceil(connectedAtMs / 1000) + CONNECTION_TTL_SECONDS;
  const shards = await topics.ensure(pattern, expiresAtSeconds);
  const shard = await connections.addSubscription(
    connectionId,
    pattern,
    Math.floor(random() * shards),
    subscriptionsMax,
  );
  if (shard === 'limit_reached') {
    throw new ClientError(
      ErrorCode.limitExceeded,
      `expected at most ${subscriptionsMax} subscriptions on a connection, got one more`,
    );
  }
  if (shard === 'not_connected') {
    throw new ClientError(
      ErrorCode.unavailable,
      'expected an open connection, got one that is closing; connect again',
    );
  }
  await subscriptions.put({ pattern, shard, connectionId }, expiresAtSeconds);
  return ack(Action.subscribe, frame, { topic: pattern });
}
