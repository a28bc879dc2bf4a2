import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { assemble as assembleConnect } from '../../../services/connect/assemble.ts';
import { connect } from '../../../services/connect/connect.ts';
import { createConnections } from '../../../shared/data/connections.ts';
import { createRevocations } from '../../../shared/data/revocations.ts';
import type { ConnectEvent } from '../../../shared/lambda/events.ts';
import { lifecycle } from '../../../shared/lambda/lifecycle.ts';
import { logger } from '../../../shared/lambda/logger.ts';
import { MemoryDynamoDB } from '../../memory/dynamodb.ts';

const NOW_MS = Date.UTC(2026, 10, 20);
const NOW_SECONDS = NOW_MS / 1000;

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'warn').mockImplementation((...line) => void logged.push(line));
});
afterEach(() => vi.restoreAllMocks());

/** Tables in memory, and what works on them. */
function houseOf() {
  let nowMs = NOW_MS;
  const clock = { now: () => nowMs, wait: async () => {}, random: () => 0, newId: () => 'id' };
  const tables = new MemoryDynamoDB({ now: clock.now });
  const dynamodb = tables.client();
  const config = {
    connectionsTable: 'connections',
    accessTable: 'access',
    authorization: 'required',
  } as const;
  const deps = assembleConnect(config, { dynamodb }, clock);
  const handshake = lifecycle((event: ConnectEvent) => connect(event, deps));
  const shake = async (connectionId: string, authorizer: object): Promise<number> => {
    const requestContext = { connectionId, connectedAt: nowMs, authorizer };
    const context = { awsRequestId: 'aws', getRemainingTimeInMillis: () => 1_000 };
    return (await handshake({ requestContext } as never, context)).statusCode;
  };
  return {
    shake,
    revocations: createRevocations(dynamodb, 'access', clock),
    connections: createConnections(dynamodb, 'connections', clock.now),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

const tokenOf = (userId: string, issuedAt = NOW_SECONDS, tokenId = 'one') => ({
  ...{ userId, issuedAt, tokenId, rights: '{}', expiresAt: issuedAt + 3_600 },
});

describe('a handshake', () => {
  it('with a token that was revoked is refused, and leaves nothing', async () => {
    const { shake, revocations, connections } = houseOf();
    await revocations.revoke({ userId: 'ada' }, NOW_MS);
    expect(await shake('c', tokenOf('ada'))).toBe(401);
    expect(await connections.has('c')).toBe(false);
    expect(logged).toEqual([
      ['handshake refused', { status: 401, reason: 'expected a good token, got one that was revoked' }],
    ]);
  });

  it.each([
    ['that was issued later', tokenOf('ada', NOW_SECONDS + 1)],
    ['of somebody else', tokenOf('adam')],
    ['of nobody', { rights: '{}' }],
  ])('with a token %s goes on', async (_, token) => {
    const { shake, revocations, connections } = houseOf();
    await revocations.revoke({ userId: 'ada' }, NOW_MS);
    expect(await shake('c', token)).toBe(200);
    expect(await connections.has('c')).toBe(true);
  });

  it('with one token of a user is refused, and with another goes on', async () => {
    const { shake, revocations } = houseOf();
    await revocations.revoke({ userId: 'ada', tokenId: 'one' }, NOW_MS);
    expect(await shake('c', tokenOf('ada', NOW_SECONDS + 1, 'one'))).toBe(401);
    expect(await shake('d', tokenOf('ada', NOW_SECONDS, 'two'))).toBe(200);
  });
});
