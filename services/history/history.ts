import { expectGranted, type RightsGuard } from '../../shared/auth/guard.ts';
import type { TakeToken } from '../../shared/auth/own-token.ts';
import { headOrComing, positionIn } from '../../shared/data/coming-log.ts';
import type { Logs } from '../../shared/data/log.ts';
import { type ReplayDeps, readAfter, readBack, readFromOldest, toLogPage } from '../../shared/data/replay.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack, type LogLoss, type LogPage } from '../../shared/protocol/acks.ts';
import { Action } from '../../shared/protocol/frames.ts';
import { historyNamespaceOf, type Namespaces } from '../../shared/protocol/namespaces.ts';
import type { HistoryFrame } from '../../shared/protocol/parse.ts';

export interface HistoryDeps extends ReplayDeps {
  readonly logs: ReplayDeps['logs'] & Pick<Logs, 'head'>;
  readonly namespaces: Namespaces;
  readonly guard: RightsGuard;
  readonly takeToken: TakeToken;
}

/** A page of what a topic has kept. */
export async function history(
  input: RouteInput<HistoryFrame>,
  deps: HistoryDeps,
): Promise<AckFrame<'history', string>> {
  const { connectionId, frame } = input;
  const { topic, limit, reverse, after, before } = frame;
  await expectRight(input, deps);
  const namespace = historyNamespaceOf(topic, deps.namespaces);
  const head = await headOrComing(topic, deps);
  const log = { topic, epoch: head.epoch };
  const view = { log, head, namespace, connectionId };
  const reply = (page: LogPage<string> | LogLoss) => ack(Action.history, frame, { topic, ...page });
  if (reverse) return reply(toLogPage(log, await readBack(before, limit, view, deps)));
  if (!after) return reply(toLogPage(log, await readFromOldest(limit, view, deps)));
  const page = await readAfter(positionIn(head, after), limit, view, deps);
  return typeof page === 'string'
    ? reply({ epoch: head.epoch, offset: head.offset, messages: [], recovered: false, reason: page })
    : reply({ ...toLogPage(log, page), recovered: true });
}

async function expectRight(
  input: RouteInput<HistoryFrame>,
  { guard, takeToken }: HistoryDeps,
): Promise<void> {
  const { topic, grant } = input.frame;
  if (grant === undefined) return guard.expectMay(input, 'history', topic);
  await guard.expectLive(input);
  expectGranted((await takeToken('grant', grant, input)).rights, 'history', topic);
}
