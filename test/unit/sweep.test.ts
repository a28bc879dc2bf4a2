import {
  ApiGatewayManagementApiServiceException,
  GoneException,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../services/sweep/assemble.ts';
import { type SweepDeps, sweep } from '../../services/sweep/sweep.ts';
import { createConnections, HANDSHAKE_MAX_MS } from '../../shared/data/connections.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import { NOTHING_LIMITED } from '../support/no-limits.ts';

const NOW_MS = 1_000_000;
const OLD_MS = NOW_MS - HANDSHAKE_MAX_MS;
const pattern = parsePattern('chat/lobby');
const CONFIG = {
  accessTable: 'access',
  limits: NOTHING_LIMITED,
  connectionsTable: 'connections',
  subscriptionsTable: 'subscriptions',
  closingQueueUrl: 'closing',
};

/** Connections by id with the time they connected; `open` are those that API Gateway knows. */
function houseOf(connections: Record<string, number>, open: string[]) {
  const rows = new Map(Object.entries(connections));
  const deleted: string[] = [];
  const waits: number[] = [];
  let nowMs = NOW_MS;
  const deps: SweepDeps = {
    connections: {
      endingBefore: async function* () {},
      sample: async () => [...rows].map(([connectionId, connectedAtMs]) => ({ connectionId, connectedAtMs })),
      close: async (connectionId, goneAtMs = 0) => {
        if ((rows.get(connectionId) ?? 0) > goneAtMs - HANDSHAKE_MAX_MS || !rows.delete(connectionId))
          return undefined;
        return [{ connectionId, pattern, shard: 0 }];
      },
    },
    subscriptions: {
      delete: async (gone) => void deleted.push(...gone.map(({ connectionId }) => connectionId)),
    },
    recount: async () => 0,
    isOpen: async (connectionId) => open.includes(connectionId),
    now: () => nowMs,
    wait: async (ms) => {
      waits.push(ms);
      nowMs += ms;
    },
    newId: () => 'start',
  };
  return { deps, rows, deleted, waits, open };
}

it('deletes the rows of connections that are gone, and only theirs', async () => {
  const { deps, rows, deleted, waits } = houseOf({ a: OLD_MS, b: OLD_MS, c: OLD_MS }, ['a', 'c']);
  expect(await sweep(deps)).toMatchObject({ seen: 3, gone: 1 });
  expect([...rows.keys()]).toEqual(['a', 'c']);
  expect(deleted).toEqual(['b']);
  expect(waits).toEqual([]);
});

it('gives a connection that may still be shaking hands the time to finish', async () => {
  const { deps, rows, open } = houseOf({ opening: NOW_MS - 1, dead: NOW_MS - 1 }, []);
  const finishing = {
    ...deps,
    wait: (ms: number) => {
      open.push('opening');
      return deps.wait(ms);
    },
  };
  expect(await sweep(finishing)).toMatchObject({ seen: 2, gone: 1 });
  expect([...rows.keys()]).toEqual(['opening']);
});

it('does not wait for a connection whose $disconnect came in between', async () => {
  const { deps, waits } = houseOf({ a: OLD_MS }, []);
  const raced = { ...deps, connections: { ...deps.connections, close: async () => undefined } };
  expect(await sweep(raced)).toMatchObject({ seen: 1, gone: 0 });
  expect(waits).toEqual([]);
});

it('fails when it cannot ask, so that somebody hears of it', async () => {
  const { deps } = houseOf({ a: OLD_MS }, []);
  const throttled = { ...deps, isOpen: () => Promise.reject(new Error('throttled')) };
  await expect(sweep(throttled)).rejects.toThrow('throttled');
});

it('takes 410 for gone, and any other error for what it is', async () => {
  const failure = (name: string, httpStatusCode: number) =>
    new ApiGatewayManagementApiServiceException({ name, $fault: 'server', $metadata: { httpStatusCode } });
  const answers: Record<string, Error | undefined> = {
    open: undefined,
    gone: new GoneException({ message: '', $metadata: { httpStatusCode: 410 } }),
    broken: failure('InternalServerError', 500),
    throttled: failure('LimitExceededException', 429),
    forbidden: failure('AccessDeniedException', 403),
    lost: new Error('socket hang up'),
  };
  const send = async ({ input }: { readonly input: { readonly ConnectionId: string } }) => {
    const error = answers[input.ConnectionId];
    if (error) throw error;
  };
  const clients = { dynamodb: {}, management: { send } } as never; // nothing else is called
  const { isOpen } = assemble({ ...CONFIG, authorization: 'none' }, clients, systemClock);
  expect([await isOpen('open'), await isOpen('gone')]).toEqual([true, false]);
  for (const id of ['broken', 'throttled', 'forbidden', 'lost']) {
    await expect(isOpen(id)).rejects.toBe(answers[id]);
  }
});

describe('ahead', () => {
  const LOOK_AHEAD_MS = 180_000;

  /** Connections by id, with the time at which they end. */
  function houseEnding(ends: Record<string, number>, authorization: 'required' | 'none' = 'required') {
    const sent: { readonly check: unknown; readonly delaySeconds: number | undefined }[] = [];
    const send = async ({ input }: { input: { MessageBody: string; DelaySeconds?: number } }) =>
      void sent.push({ check: JSON.parse(input.MessageBody), delaySeconds: input.DelaySeconds });
    const management = { send: async () => {} };
    const tables = new MemoryDynamoDB({ now: () => NOW_MS, pageItemsMax: 2 });
    const clients = { dynamodb: tables.client(), sqs: { send }, management } as never; // what is called of them
    const clock = { now: () => NOW_MS, wait: async () => {}, random: () => 0, newId: () => 'start' };
    const deps = assemble({ ...CONFIG, authorization }, clients, clock);
    const connections = createConnections(tables.client(), 'connections', () => NOW_MS);
    const open = async () => {
      for (const [connectionId, tokenEndsAtMs] of Object.entries(ends)) {
        await connections.open({ connectionId, connectedAtMs: OLD_MS, tokenEndsAtMs });
      }
    };
    return { deps, sent, open };
  }

  it('has those looked at that end soon or should have ended, and no others', async () => {
    const { deps, sent, open } = houseEnding({
      ...{ over: NOW_MS - 3_600_000, a: NOW_MS + 60_000, b: NOW_MS + 59_001 },
      ...{ last: NOW_MS + LOOK_AHEAD_MS - 1_000, later: NOW_MS + LOOK_AHEAD_MS, anonymous: Infinity },
    });
    await open();
    expect(await sweep(deps)).toMatchObject({ ending: 4 });
    const delays = sent.flatMap(({ check, delaySeconds }) =>
      (check as { connectionIds: string[] }).connectionIds.map((id) => [id, delaySeconds]),
    );
    expect(Object.fromEntries(delays)).toEqual({ over: 0, a: 60, b: 60, last: 179 });
  });

  it('asks in one message about many that end in one second', async () => {
    const ids = Array.from({ length: 150 }, (_, index) => `c${index}`);
    const sent: object[] = [];
    const closings = createClosings(
      { send: async ({ input }: never) => void sent.push(input) },
      'q',
      () => NOW_MS,
    );
    await closings.closeEach(ids.map((connectionId, index) => ({ connectionId, endsAtMs: NOW_MS + index })));
    expect(sent).toMatchObject([{ DelaySeconds: 0 }, { DelaySeconds: 1 }, { DelaySeconds: 1 }]);
  });

  it('sends nothing where nobody has a token', async () => {
    const { deps, sent, open } = houseEnding({ a: NOW_MS + 60_000 }, 'none');
    await open();
    expect(await sweep(deps)).toMatchObject({ seen: 1, gone: 0 });
    expect(sent).toEqual([]);
  });

  it('is seen to though what is gone cannot be asked about, and fails too', async () => {
    const { deps, sent, open } = houseEnding({ a: NOW_MS + 60_000 });
    await open();
    await expect(sweep({ ...deps, isOpen: () => Promise.reject(new Error('throttled')) })).rejects.toThrow(
      'throttled',
    );
    expect(sent).toHaveLength(1);
    const closings = { closeEach: () => Promise.reject(new Error('no queue')) };
    await expect(sweep({ ...deps, closings })).rejects.toThrow('no queue');
  });
});
