import type { Connections } from '../../shared/data/connections.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { Action, type Command } from '../../shared/protocol/frames.ts';

export interface WhoamiDeps {
  readonly connections: Pick<Connections, 'userOf'>;
  /** The @connections URL, where others may post to this connection. */
  readonly endpoint: string;
}

export async function whoami(
  { connectionId, frame }: RouteInput<Command>,
  { connections, endpoint }: WhoamiDeps,
): Promise<AckFrame<'whoami'>> {
  const userId = await connections.userOf(connectionId);
  return ack(Action.whoami, frame, { connectionId, ...(userId !== undefined && { userId }), endpoint });
}
