import { POSITIONS_MAX, type TopicPosition } from '../protocol/frames.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { type Ack, writeCommand } from './write.ts';

/** Only a pong says that the connection is to be replaced, so there is one now and then in any case. */
const CHECKS_WITHOUT_PING_MAX = 20;

export interface HeartbeatHooks {
  /** Positions of topics that have been quiet since the last call: has anything been missed? */
  readonly quietPositions: () => TopicPosition[];
  readonly onPong: (ack: Ack<'ping'>, asked: readonly TopicPosition[]) => void;
  readonly onError: (error: FanwireError) => void;
}

export interface Heartbeat {
  readonly stop: () => void;
  /** Asks now whether the connection is still there, because there is a doubt. */
  readonly check: () => void;
}

/** Finds out that a connection is dead, or that messages were lost on it. One timer, which ends with the session. */
export function startHeartbeat(session: Session, settings: Settings, hooks: HeartbeatHooks): Heartbeat {
  const { now, heartbeatMs, pongTimeoutMs, gapMs } = settings;
  // Two checks, and a gap is known and healed within one period.
  // A gap that is never asked for leaves nothing to check, and Infinity less Infinity is no number.
  const checkMs = gapMs > heartbeatMs / 4 || gapMs === Infinity ? heartbeatMs / 4 : heartbeatMs / 2 - gapMs;
  // A clock may be put back, and then by more than a period.
  const isDue = (sinceMs: number, periodMs: number) => Math.abs(now() - sinceMs) >= periodMs;
  let checkedAtMs = now();
  let checks = 0;
  /** A ping has no answer yet. */
  let isAsking = false;
  let stop = () => {};
  const wait = (ms: number, run: () => void) => {
    stop();
    stop = session.timers.after(ms, run);
  };

  /** Until a check or a ping may be due. */
  function rest(): void {
    isAsking = false;
    const nextAtMs = Math.min(checkedAtMs + checkMs, session.receivedAtMs + heartbeatMs);
    wait(Math.min(Math.max(nextAtMs - now(), 0), heartbeatMs), beat);
  }

  function beat(): void {
    const isCheck = isDue(checkedAtMs, checkMs);
    const positions = isCheck ? hooks.quietPositions() : [];
    if (isCheck) {
      checkedAtMs = now();
      checks++;
    }
    const isSilent = isDue(session.receivedAtMs, heartbeatMs);
    if (isSilent || positions.length > 0 || checks >= CHECKS_WITHOUT_PING_MAX) pingAll(positions);
    else rest();
  }

  function pingAll(positions: TopicPosition[]): void {
    isAsking = true;
    checks = 0;
    const { received } = session;
    wait(pongTimeoutMs, () => {
      if (session.received > received) return rest();
      const expected = `expected a frame within ${pongTimeoutMs} ms of a ping, got none`;
      session.end(new FanwireError('timeout', expected));
    });
    do ping(positions.splice(0, POSITIONS_MAX));
    while (positions.length > 0);
  }

  function ping(positions: readonly TopicPosition[]): void {
    const command = writeCommand('ping', positions.length > 0 ? { positions } : {});
    const onReply = (reply: Ack<'ping'> | FanwireError) => {
      // A connection that has ended needs no second report.
      if (session.commands.over) return;
      if (reply instanceof FanwireError) {
        hooks.onError(reply);
        return;
      }
      if (isAsking) rest();
      hooks.onPong(reply, positions);
    };
    session.commands.send(command, onReply, true);
  }

  rest();
  return {
    stop: () => {
      isAsking = false;
      stop();
    },
    check: () => {
      if (!isAsking) pingAll([]);
    },
  };
}
