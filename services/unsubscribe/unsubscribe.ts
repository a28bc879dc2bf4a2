import type { Connections } from '../../shared/data/connections.ts';
import type { Shards } from '../../shared/data/shards.ts';
import type { Subscriptions } from '../../shared/data/subscriptions.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { Action } from '../../shared/protocol/frames.ts';
import type { SubscriptionFrame } from '../../shared/protocol/parse.ts';

export interface UnsubscribeDeps {
  readonly connections: Pick<Connections, 'shardOf' | 'removeSubscription'>;
  readonly subscriptions: Pick<Subscriptions, 'delete'>;
  readonly shards: Pick<Shards, 'of'>;
}

/** Ends a subscription. One that is not there is ended already: the answer is the same. */
export async function unsubscribe(
  { connectionId, frame }: RouteInput<SubscriptionFrame>,
  { connections, subscriptions, shards }: UnsubscribeDeps,
): Promise<AckFrame<'unsubscribe'>> {
  const pattern = frame.topic;
  const noted = await connections.shardOf(connectionId, pattern);
  // API Gateway runs one connection's frames side by side: a subscribe that overlapped with an earlier unsubscribe
  // can have left a row that the connection does not list. This finds it.
  const found = noted === undefined ? await shards.of(pattern) : [{ pattern, shard: noted }];
  await subscriptions.delete(found.map((each) => ({ ...each, connectionId })));
  // Only now that the row is gone may the list forget its shard: subscribing again may choose another one.
  await connections.removeSubscription(connectionId, pattern);
  return ack(Action.unsubscribe, frame, { topic: pattern });
}
