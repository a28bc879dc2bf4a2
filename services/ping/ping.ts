import type { RightsGuard } from '../../shared/auth/guard.ts';
import { positionIn } from '../../shared/data/coming-log.ts';
import type { Connections } from '../../shared/data/connections.ts';
import type { Heads } from '../../shared/data/heads.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { givenUp } from '../../shared/protocol/errors.ts';
import { Action, type TopicPosition } from '../../shared/protocol/frames.ts';
import type { PingFrame } from '../../shared/protocol/parse.ts';

export interface PingDeps {
  readonly connections: Pick<Connections, 'has'>;
  readonly heads: Pick<Heads, 'heads'>;
  readonly guard: RightsGuard;
  readonly rolloverAfterMs: number;
  readonly now: () => number;
}

/** Up to this share later: clients that connected at the same moment do not all reconnect at the same moment. */
const ROLLOVER_JITTER = 0.1;

/** Says that the connection is alive here, too, which of the client's positions are behind, and whether the end is near. */
export async function ping(
  { connectionId, connectedAtMs, bearer, frame }: RouteInput<PingFrame>,
  { connections, heads, guard, rolloverAfterMs, now }: PingDeps,
): Promise<AckFrame<'ping'>> {
  guard.expectLive(bearer);
  for (const { topic } of frame.positions) guard.expectMay(bearer, 'subscribe', topic);
  const [isKnown, behind] = await Promise.all([connections.has(connectionId), positionsBehind(frame, heads)]);
  if (!isKnown) throw givenUp();
  const dueAtMs = connectedAtMs + rolloverAfterMs * (1 + ROLLOVER_JITTER * shareOf(connectionId));
  return ack(Action.ping, frame, {
    ...(behind.length > 0 && { behind }),
    ...(now() >= dueAtMs && { rollover: true }),
  });
}

async function positionsBehind({ positions }: PingFrame, heads: PingDeps['heads']) {
  if (positions.length === 0) return [];
  const found = await heads.heads([...new Set(positions.map(({ topic }) => topic))]);
  const newest = new Map(found.map((head) => [head.topic, head]));
  return positions.flatMap((position): TopicPosition[] => {
    const head = newest.get(position.topic);
    if (!head) return [];
    const { topic, epoch, offset } = head;
    const from = positionIn(head, position);
    return epoch !== from.epoch || offset > from.offset ? [{ topic, epoch, offset }] : [];
  });
}

/** Between 0 and 1, always the same for a connection. */
function shareOf(connectionId: string): number {
  let hash = 0;
  for (const character of connectionId) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return hash / 2 ** 32;
}
