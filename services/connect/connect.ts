import type { Connections } from '../../shared/data/connections.ts';
import type { ConnectEvent } from '../../shared/lambda/events.ts';
import { parseUserId } from '../../shared/protocol/parse.ts';

export interface ConnectDeps {
  readonly connections: Pick<Connections, 'open'>;
}

/** Notes a connection. `?userId=` is what its client says of itself: nothing has verified it. */
export async function connect(
  { requestContext, queryStringParameters }: ConnectEvent,
  { connections }: ConnectDeps,
): Promise<void> {
  const claimed = queryStringParameters?.userId;
  await connections.open({
    connectionId: requestContext.connectionId,
    connectedAtMs: requestContext.connectedAt,
    ...(claimed !== undefined && { userId: parseUserId(claimed) }),
  });
}
