import type { RightsGuard } from '../../shared/auth/guard.ts';
import { positionIn } from '../../shared/data/coming-log.ts';
import type { Heads } from '../../shared/data/heads.ts';
import type { Standing } from '../../shared/data/standing.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError, ErrorCode, givenUp } from '../../shared/protocol/errors.ts';
import { Action, type TopicPosition } from '../../shared/protocol/frames.ts';
import type { PingFrame } from '../../shared/protocol/parse.ts';
import { patternsCovering, type Topic } from '../../shared/protocol/topic.ts';

export interface PingDeps {
  readonly heads: Pick<Heads, 'heads'>;
  readonly guard: RightsGuard;
  readonly rolloverAfterMs: number;
  readonly now: () => number;
}

/** Up to this share later: clients that connected at the same moment do not all reconnect at the same moment. */
const ROLLOVER_JITTER = 0.1;

/** Says that the connection is alive here, too, which of the client's positions are behind, and whether the end is near. */
export async function ping(input: RouteInput<PingFrame>, deps: PingDeps): Promise<AckFrame<'ping'>> {
  const { connectionId, connectedAtMs, frame } = input;
  const { heads, guard, rolloverAfterMs, now } = deps;
  await guard.expectLive(input);
  await expectMayCompare(input, deps);
  const [, behind] = await Promise.all([expectAllLast(input, deps), positionsBehind(frame, heads)]);
  const dueAtMs = connectedAtMs + rolloverAfterMs * (1 + ROLLOVER_JITTER * shareOf(connectionId));
  return ack(Action.ping, frame, {
    ...(behind.length > 0 && { behind }),
    ...(now() >= dueAtMs && { rollover: true }),
  });
}

/** Of what one is subscribed to with a grant, too. */
async function expectMayCompare(input: RouteInput<PingFrame>, deps: PingDeps): Promise<void> {
  const { guard, now } = deps;
  for (const { topic } of input.frame.positions) {
    if (await guard.may(input, 'subscribe', topic)) continue;
    // Of what has ended there is no right any more: its client is to subscribe anew, not to be refused.
    const standing = await expectAllLast(input, deps);
    if (!hasLiveEnd(standing, topic, now())) await guard.expectMay(input, 'subscribe', topic);
  }
}

/** What the connection is subscribed to, if nothing of it has ended. */
async function expectAllLast(input: RouteInput<PingFrame>, { guard, now }: PingDeps): Promise<Standing> {
  const standing = await guard.standing(input);
  if (!standing) throw givenUp();
  if (standing.ends.values().some(({ atMs }) => atMs <= now())) throw endedEarly();
  return standing;
}

const hasLiveEnd = ({ ends }: Standing, topic: Topic, nowMs: number): boolean =>
  patternsCovering(topic).some((pattern) => (ends.get(pattern)?.atMs ?? 0) > nowMs);

/** A client may not know, and the same answer makes it subscribe anew, with what rights it has. */
const endedEarly = (): ClientError =>
  new ClientError(
    ErrorCode.gone,
    'expected subscriptions that go on, got one whose grant or token has ended; connect again',
  );

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
