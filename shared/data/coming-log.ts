import { COMING_LOG, type Position } from '../protocol/frames.ts';
import type { Topic } from '../protocol/topic.ts';
import { HEAD_TTL_SECONDS, type Head, type Heads } from './heads.ts';

/** Two clocks differ by less. */
const CLOCKS_DIFFER_MS = 60_000;

/** A topic's head; if it has none, that of the log that is to come, so that a reader need not begin one. */
export async function headOrComing(
  topic: Topic,
  { logs, now }: { readonly logs: Pick<Heads, 'head'>; readonly now: () => number },
): Promise<Head> {
  const nowMs = now(); // before the read, so that what it does not find has not begun by then
  const found = await logs.head(topic);
  const epoch = `${COMING_LOG}${nowMs.toString(36)}`;
  if (found) return found;
  return {
    epoch,
    offset: 0,
    createdAtMs: nowMs,
    allocatedAtMs: nowMs,
    allocatedFrom: 0,
    previousAtMs: nowMs,
  };
}

/**
 * A position as the log with this head has it: the coming log is this one, if it began so soon that no other can have come
 * and been forgotten in between.
 */
export function positionIn({ epoch, createdAtMs }: Head, position: Position): Position {
  if (!position.epoch.startsWith(COMING_LOG)) return position;
  const ageMs = createdAtMs - Number.parseInt(position.epoch.slice(COMING_LOG.length), 36);
  const isFirst = ageMs > -CLOCKS_DIFFER_MS && ageMs < HEAD_TTL_SECONDS * 1000 - CLOCKS_DIFFER_MS;
  return isFirst ? { epoch, offset: position.offset } : position;
}
