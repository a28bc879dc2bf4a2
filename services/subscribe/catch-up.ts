import { headOrComing, positionIn } from '../../shared/data/coming-log.ts';
import {
  messagesFor,
  type ReplayPage,
  readAfter,
  rewind,
  toLogPage,
  type View,
} from '../../shared/data/replay.ts';
import type { LogLoss, LogPage } from '../../shared/protocol/acks.ts';
import { type LossReason, type Position, REPLAY_MAX } from '../../shared/protocol/frames.ts';
import type { HistoryNamespace } from '../../shared/protocol/namespaces.ts';
import type { SubscribeFrame } from '../../shared/protocol/parse.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import type { SubscribeDeps } from './subscribe.ts';

/**
 * What a subscriber has missed, or wants to see of what came before it. Its live feed goes on from the position of the
 * answer.
 */
export async function catchUp(
  topic: Topic,
  wanted: Pick<SubscribeFrame, 'position' | 'rewind'>,
  namespace: HistoryNamespace,
  connectionId: string,
  deps: Pick<SubscribeDeps, 'logs' | 'now' | 'wait'>,
): Promise<LogPage<string> | LogLoss> {
  const head = await headOrComing(topic, deps);
  const log = { topic, epoch: head.epoch };
  const view = { log, head, namespace, connectionId };
  if (wanted.position) return recover(wanted.position, view, deps);
  if (wanted.rewind !== undefined) return toLogPage(log, await rewind(wanted.rewind, view, deps));
  if (namespace.lastValue) return toLogPage(log, await lastValue(view, deps));
  return { epoch: head.epoch, offset: head.offset };
}

async function recover(
  given: Position,
  view: View,
  deps: Pick<SubscribeDeps, 'logs' | 'now' | 'wait'>,
): Promise<LogPage<string> | LogLoss> {
  const { log, head, namespace } = view;
  const position = positionIn(head, given);
  const lost = (reason: LossReason): LogLoss => ({
    epoch: log.epoch,
    offset: head.offset,
    recovered: false,
    reason,
  });
  if (!namespace.recovery) return lost('recovery_off');
  if (position.epoch === log.epoch && head.offset - position.offset > REPLAY_MAX) return lost('too_many');
  const page = await readAfter(position, REPLAY_MAX, view, deps);
  return typeof page === 'string' ? lost(page) : { ...toLogPage(log, page), recovered: true };
}

/** The newest message, also when it is older than the history goes back. */
async function lastValue(
  view: View,
  deps: Pick<SubscribeDeps, 'logs' | 'now' | 'wait'>,
): Promise<ReplayPage> {
  const page = await rewind(1, view, deps);
  if (page.messages.length > 0) return page;
  const [last, newest] = await Promise.all([
    deps.logs.last(view.log),
    // Too old, but not deleted yet: its writer may have died before it was noted as the last.
    deps.logs.read(view.log, { from: page.offset, descending: true, limit: NEWEST_MAX }),
  ]);
  const entry = [...newest, ...(last ? [last] : [])]
    // One that is newer than the page comes live.
    .filter(({ json, offset }) => json !== undefined && offset <= page.offset)
    .toSorted((a, b) => b.offset - a.offset)[0];
  return entry ? { ...page, messages: messagesFor([entry], view, deps) } : page;
}

/** So many tombstones in a row are not to be expected. */
const NEWEST_MAX = 10;
