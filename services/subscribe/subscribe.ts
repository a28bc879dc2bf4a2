import { expectGranted } from '../../shared/auth/guard.ts';
import type { OwnToken, TakeToken } from '../../shared/auth/own-token.ts';
import type { Logs } from '../../shared/data/log.ts';
import type { ReplayDeps } from '../../shared/data/replay.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError, describe, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action } from '../../shared/protocol/frames.ts';
import {
  keepsHistory,
  type Namespace,
  type Namespaces,
  namespaceOf,
} from '../../shared/protocol/namespaces.ts';
import type { SubscribeFrame } from '../../shared/protocol/parse.ts';
import { permits } from '../../shared/protocol/rights.ts';
import { isTopic, type Pattern } from '../../shared/protocol/topic.ts';
import { addRow, type RowDeps } from './add-row.ts';
import { catchUp } from './catch-up.ts';

export interface SubscribeDeps extends ReplayDeps, RowDeps {
  readonly logs: ReplayDeps['logs'] & Pick<Logs, 'head' | 'last'>;
  readonly namespaces: Namespaces;
  readonly takeToken: TakeToken;
}

/** Writes the subscription, and only then reads the log: whatever is written to it later finds the subscription. */
export async function subscribe(
  input: RouteInput<SubscribeFrame>,
  deps: SubscribeDeps,
): Promise<AckFrame<'subscribe', string>> {
  const { connectionId, frame } = input;
  const { topic: pattern, position, rewind } = frame;
  const namespace = namespaceOf(pattern, deps.namespaces);
  const grant = await takeGrant(input, deps);
  const expiry = grant && { expiresAt: new Date(grant.expiresAtMs).toISOString() };
  expectAllowed(pattern, namespace);
  if (isTopic(pattern) && keepsHistory(namespace)) {
    await addRow(input, grant, deps);
    // What it has missed is history, too.
    const recovery = namespace.recovery && (await mayReadHistory(input, grant, deps));
    const caughtUp = await catchUp(pattern, frame, { ...namespace, recovery }, connectionId, deps);
    return ack(Action.subscribe, frame, { topic: pattern, ...expiry, ...caughtUp });
  }
  if (rewind !== undefined) {
    throw new ClientError(
      ErrorCode.badRequest,
      `expected rewind only on a topic that keeps history, got ${describe(pattern)}`,
    );
  }
  await addRow(input, grant, deps);
  return ack(Action.subscribe, frame, {
    topic: pattern,
    ...expiry,
    ...(position && { recovered: false, reason: 'no_history' }),
  });
}

/** With a grant, that is what gives the rights: to this one subscription, and to nothing else. Throws if there are none. */
async function takeGrant(
  input: RouteInput<SubscribeFrame>,
  { guard, takeToken }: SubscribeDeps,
): Promise<OwnToken | undefined> {
  const { topic, rewind, grant: text } = input.frame;
  if (text === undefined) {
    await guard.expectMay(input, 'subscribe', topic);
    if (rewind !== undefined) await guard.expectMay(input, 'history', topic);
    return undefined;
  }
  await guard.expectLive(input);
  const grant = await takeToken('grant', text, input);
  expectGranted(grant.rights, 'subscribe', topic);
  if (rewind !== undefined) expectGranted(grant.rights, 'history', topic);
  return grant;
}

const mayReadHistory = async (
  input: RouteInput<SubscribeFrame>,
  grant: OwnToken | undefined,
  { guard }: SubscribeDeps,
): Promise<boolean> =>
  grant
    ? permits(grant.rights, 'history', input.frame.topic)
    : guard.may(input, 'history', input.frame.topic);

function expectAllowed(pattern: Pattern, { wildcards }: Namespace): void {
  if (wildcards || isTopic(pattern)) return;
  throw new ClientError(
    ErrorCode.forbidden,
    `expected a topic, because its namespace has no wildcards, got ${describe(pattern)}`,
  );
}
