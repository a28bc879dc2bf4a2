import { describe, expect, it } from 'vitest';
import { history } from '../../services/history/history.ts';
import { type SubscribeDeps, subscribe } from '../../services/subscribe/subscribe.ts';
import type { Namespace } from '../../shared/protocol/namespaces.ts';
import { parseHistory, parseSubscribe } from '../../shared/protocol/parse.ts';
import { namespacesOf } from '../support/namespaces.ts';
import { NEVER_RENEWED, NO_GUARD, NO_TOKENS } from '../support/no-guard.ts';
import { NO_LIMITS } from '../support/no-limits.ts';
import { type AtStep, dies, type LogSettings, once, TopicLog } from '../support/topic-log.ts';

/** A topic with a log, to which one connection subscribes. Everything is done in the order of `steps`. */
function houseOf(settings: LogSettings = {}, changes: Partial<Namespace> = {}) {
  const log = new TopicLog(settings);
  const steps: string[] = [];
  const namespaces = namespacesOf({ chat: { ...log.namespace, ...changes } });
  const atStep: AtStep = (step) => step.startsWith('before') && steps.push(step.slice('before '.length));
  const deps: SubscribeDeps = {
    ...log.reading(),
    logs: log.logs(atStep),
    connections: {
      addSubscription: async () => ({ shard: 0, standing: NEVER_RENEWED }),
      noteEnd: async () => {},
    },
    subscriptions: { put: async () => steps.push('row') > 0 },
    shards: { ensure: async () => 1 },
    namespaces,
    subscriptionsMax: 10,
    guard: NO_GUARD,
    takeToken: NO_TOKENS.takeGrant,
    limits: NO_LIMITS,
    random: () => 0,
  };
  const input = { connectionId: 'reader', connectedAtMs: log.nowMs };
  return {
    log,
    steps,
    subscribe: (fields: object = {}) =>
      subscribe({ ...input, frame: parseSubscribe({ topic: log.topic, ...fields }) }, deps),
    history: (fields: object = {}) =>
      history({ ...input, frame: parseHistory({ topic: log.topic, ...fields }) }, deps),
  };
}
const publish = (log: TopicLog, ...ids: string[]) => log.publish(...ids.map((id) => log.draft(id)));
// biome-ignore lint/suspicious/noExplicitAny: a reply of any kind
const idsIn = ({ messages }: any): unknown => messages?.map((json: string) => JSON.parse(json).messageId);

describe('a subscribe to a topic that keeps history', () => {
  it('is answered with where the live feed starts', async () => {
    const { log, subscribe } = houseOf();
    const topic = 'chat/lobby';
    expect(await subscribe({ id: '7' })).toEqual({
      ...{
        type: 'ack',
        id: '7',
        action: 'subscribe',
        topic,
        epoch: expect.stringMatching(/^new-/),
        offset: 0,
      },
    });
    await publish(log, 'a', 'b');
    expect(await subscribe()).toEqual({
      ...{ type: 'ack', action: 'subscribe', topic, epoch: 'epoch-1', offset: 2 },
    });
  });

  // Or a message that is stored in between would be neither in the replay nor in the feed.
  it('has its row before the log is looked at', async () => {
    for (const fields of [{}, { rewind: 5 }, { position: { epoch: 'epoch-1', offset: 0 } }]) {
      const { log, steps, subscribe } = houseOf({ lastValue: true });
      await publish(log, 'a');
      await subscribe(fields);
      expect(steps.slice(0, 2)).toEqual(['row', 'head']);
      expect(steps).toContain('read');
    }
  });

  it('replays what was asked for', async () => {
    const { log, subscribe } = houseOf();
    await publish(log, 'a', 'b', 'c');
    expect(await subscribe({ rewind: 2 })).toMatchObject({ offset: 3, epoch: 'epoch-1' });
    expect(idsIn(await subscribe({ rewind: 2 }))).toEqual(['b', 'c']);
    expect(idsIn(await subscribe({ rewind: { seconds: 5 } }))).toEqual(['a', 'b', 'c']);
    const reply = await subscribe({ position: { epoch: 'epoch-1', offset: 1 } });
    expect([idsIn(reply), reply.recovered, reply.offset]).toEqual([['b', 'c'], true, 3]);
    expect(await subscribe({ position: { epoch: 'epoch-1', offset: 3 } })).toEqual({
      ...{ type: 'ack', action: 'subscribe', topic: 'chat/lobby', epoch: 'epoch-1' },
      ...{ offset: 3, recovered: true },
    });
  });

  it.each<[string, LogSettings, Partial<Namespace>, object]>([
    ['epoch', {}, {}, { epoch: 'another', offset: 5 }],
    ['trimmed', { messages: 5 }, {}, { epoch: 'epoch-1', offset: 100 }],
    ['too_many', {}, {}, { epoch: 'epoch-1', offset: 9 }],
    ['unknown_position', {}, {}, { epoch: 'epoch-1', offset: 311 }],
    ['recovery_off', {}, { recovery: false }, { epoch: 'epoch-1', offset: 310 }],
  ])('that cannot go on says why: %s', async (reason, settings, changes, position) => {
    const { log, subscribe } = houseOf(settings, changes);
    await publish(log, ...Array.from({ length: 310 }, (_, n) => `m${n}`));
    expect(await subscribe({ position })).toEqual({
      ...{ type: 'ack', action: 'subscribe', topic: 'chat/lobby', epoch: 'epoch-1' },
      ...{ offset: 310, recovered: false, reason },
    });
  });

  it('takes up to 300 messages, in pages', async () => {
    const { log, subscribe } = houseOf();
    await publish(log, ...Array.from({ length: 310 }, (_, n) => `m${n}`));
    const reply = await subscribe({ position: { epoch: 'epoch-1', offset: 10 } });
    expect(reply).toMatchObject({ recovered: true, more: true, offset: 110 });
  });
});

const DAY_MS = 86_400_000;
const FORGOTTEN_MS = 30 * DAY_MS;

describe('a topic without a log', () => {
  const positionIn = ({ epoch = '', offset = -1 }: { epoch?: string; offset?: number }) => ({
    epoch,
    offset,
  });
  /** What the position comes to, asked for both ways. */
  const outcomesAfter = async ({ subscribe, history }: ReturnType<typeof houseOf>, position: object) => {
    const replies = [await subscribe({ position }), await history({ after: position })];
    return replies.map((reply) => [reply.recovered, reply.reason, reply.epoch, reply.offset, idsIn(reply)]);
  };

  // Or anybody fills the table with the names of topics that there are not.
  it('gets none from whoever reads it', async () => {
    const house = houseOf({ lastValue: true });
    const position = positionIn(await house.subscribe());
    for (const fields of [{}, { rewind: 5 }, { position }]) await house.subscribe(fields);
    for (const fields of [{}, { reverse: true }, { after: position }]) await house.history(fields);
    expect(house.log.tables.items('topics')).toEqual([]);
  });

  it('is read on from before its first message, once it has one', async () => {
    const house = houseOf();
    const position = positionIn(await house.subscribe());
    house.log.nowMs += FORGOTTEN_MS - DAY_MS;
    await publish(house.log, 'a', 'b');
    const all = [true, undefined, 'epoch-1', 2, ['a', 'b']];
    expect(await outcomesAfter(house, position)).toEqual([all, all]);
    // As the clocks of two Lambdas can have it.
    const later = `new-${(house.log.nowMs + 1_000).toString(36)}`;
    expect(await outcomesAfter(house, { epoch: later, offset: 0 })).toEqual([all, all]);
  });

  it('is read on from there again and again', async () => {
    const house = houseOf();
    let position = positionIn(await house.subscribe());
    for (let month = 0; month < 3; month++) {
      house.log.nowMs += FORGOTTEN_MS - DAY_MS;
      const reply = await house.subscribe({ position });
      expect(reply).toMatchObject({ recovered: true, offset: 0 });
      position = positionIn(reply);
    }
    await publish(house.log, 'a');
    expect(await house.subscribe({ position })).toMatchObject({
      recovered: true,
      epoch: 'epoch-1',
      offset: 1,
    });
  });

  it('may have had one, and forgotten it, after the time in which a topic is forgotten', async () => {
    const house = houseOf();
    const position = positionIn(await house.subscribe());
    await publish(house.log, 'missed');
    house.log.nowMs += FORGOTTEN_MS + 1_000;
    const lost = [false, 'epoch', expect.stringMatching(/^new-/), 0];
    expect(await outcomesAfter(house, position)).toEqual([
      [...lost, undefined],
      [...lost, []],
    ]);
    await publish(house.log, 'a');
    expect(await outcomesAfter(house, position)).toEqual([
      [false, 'epoch', 'epoch-2', 1, undefined],
      [false, 'epoch', 'epoch-2', 1, []],
    ]);
  });

  it.each(['new-', 'new-!', 'new--1', 'new-zzzzzzzzzzz', 'new-1'])('has no position in %s', async (epoch) => {
    const house = houseOf();
    await publish(house.log, 'a');
    for (const offset of [0, 1]) {
      const lost = [false, 'epoch', 'epoch-1', 1];
      expect(await outcomesAfter(house, { epoch, offset })).toEqual([
        [...lost, undefined],
        [...lost, []],
      ]);
    }
  });

  it('is told by that position from any offset', async () => {
    const house = houseOf();
    const { epoch = '' } = await house.subscribe();
    expect(await house.subscribe({ position: { epoch, offset: 2 } })).toMatchObject({
      reason: 'unknown_position',
    });
    await publish(house.log, 'a', 'b', 'c');
    const rest = [true, undefined, 'epoch-1', 3, ['c']];
    expect(await outcomesAfter(house, { epoch, offset: 2 })).toEqual([rest, rest]);
    expect(await house.subscribe({ position: { epoch, offset: 4 } })).toMatchObject({
      reason: 'unknown_position',
    });
  });
});

describe('the last value', () => {
  const lastTo = async ({ subscribe }: ReturnType<typeof houseOf>) => {
    const reply = await subscribe();
    return [idsIn(reply), reply.offset];
  };

  it('comes with the subscribe, and what was asked for comes instead of it', async () => {
    const house = houseOf({ lastValue: true });
    expect(await lastTo(house)).toEqual([undefined, 0]);
    await publish(house.log, 'a', 'b');
    expect(await lastTo(house)).toEqual([['b'], 2]);
    expect(idsIn(await house.subscribe({ rewind: 2 }))).toEqual(['a', 'b']);
    expect(idsIn(await house.subscribe({ position: { epoch: 'epoch-1', offset: 2 } }))).toBeUndefined();
  });

  it('comes however old it is', async () => {
    const house = houseOf({ lastValue: true, seconds: 60 });
    await publish(house.log, 'a', 'b');
    house.log.nowMs += 10 * 3_600_000;
    house.log.tables.expire(house.log.nowMs);
    expect(await lastTo(house)).toEqual([['b'], 2]);
    expect(idsIn(await house.history())).toBeUndefined();
  });

  it('is the newest message, not a hole', async () => {
    const house = houseOf({ lastValue: true });
    await publish(house.log, 'a');
    await expect(house.log.worker(once('after claim', dies))(house.log.draft('lost'))).rejects.toThrow();
    expect(await lastTo(house)).toEqual([['a'], 1]);
    house.log.nowMs += 10_000;
    expect(await lastTo(house)).toEqual([['a'], expect.any(Number)]);
  });

  it('does not come to whom it was not meant for, and not when it is too late', async () => {
    for (const more of [{ except: ['reader'] }, { expiresAtMs: Date.UTC(2026, 10, 20, 5) }]) {
      const house = houseOf({ lastValue: true });
      await house.log.publish(house.log.draft('a'), house.log.draft('b', more));
      expect(await lastTo(house)).toEqual([undefined, 2]);
    }
  });

  it('comes only where the namespace says so', async () => {
    const house = houseOf();
    await publish(house.log, 'a');
    expect(await lastTo(house)).toEqual([undefined, 1]);
  });
});

describe('a subscribe where nothing is kept', () => {
  it('says so to whom wants to go on, and refuses a rewind', async () => {
    const { subscribe } = houseOf();
    for (const topic of ['news', 'chat/*']) {
      expect(await subscribe({ topic })).toEqual({ type: 'ack', action: 'subscribe', topic });
      expect(await subscribe({ topic, position: { epoch: 'e', offset: 1 } })).toEqual({
        ...{ type: 'ack', action: 'subscribe', topic, recovered: false, reason: 'no_history' },
      });
      await expect(subscribe({ topic, rewind: 1 })).rejects.toThrow(
        `expected rewind only on a topic that keeps history, got "${topic}"`,
      );
    }
  });

  it('leaves no row when it is refused', async () => {
    const { steps, subscribe } = houseOf({}, { wildcards: false });
    await expect(subscribe({ topic: 'news', rewind: 1 })).rejects.toThrow();
    await expect(subscribe({ topic: 'chat/*' })).rejects.toMatchObject({
      code: 'forbidden',
      message: 'expected a topic, because its namespace has no wildcards, got "chat/*"',
    });
    expect(steps).toEqual([]);
    await subscribe({ topic: 'news/*' });
    expect(steps).toEqual(['row']);
  });
});

describe('a history', () => {
  it('of a topic that nobody has published to is empty', async () => {
    const { history } = houseOf();
    const epoch = expect.stringMatching(/^new-/);
    const where = { type: 'ack', action: 'history', topic: 'chat/lobby', epoch };
    expect(await history()).toEqual({ ...where, offset: 0 });
    expect(await history({ reverse: true })).toEqual({ ...where, offset: 1 });
  });

  it('goes forward from the oldest or a position, and backward from the newest or an offset', async () => {
    const { log, history } = houseOf();
    await publish(log, 'a', 'b', 'c');
    const shown = async (fields: object) => {
      const { offset, more, recovered, reason, ...reply } = await history(fields);
      return [idsIn(reply), offset, more, recovered, reason];
    };
    const after = { epoch: 'epoch-1', offset: 1 };
    expect(await shown({ limit: 2 })).toEqual([['a', 'b'], 2, true, undefined, undefined]);
    expect(await shown({ after, limit: 1 })).toEqual([['b'], 2, true, true, undefined]);
    expect(await shown({ after })).toEqual([['b', 'c'], 3, undefined, true, undefined]);
    expect(await shown({ reverse: true, limit: 2 })).toEqual([['c', 'b'], 2, true, undefined, undefined]);
    expect(await shown({ reverse: true, before: 2 })).toEqual([['a'], 1, undefined, undefined, undefined]);
    expect(await shown({ after: { epoch: 'x', offset: 1 } })).toEqual([[], 3, undefined, false, 'epoch']);
    expect(await shown({ after: { ...after, offset: 4 } })).toEqual([
      ...[[], 3, undefined, false],
      'unknown_position',
    ]);
  });

  it('is no recovery: it is there where recovery is off', async () => {
    const { log, history } = houseOf({}, { recovery: false });
    await publish(log, 'a');
    expect(await history({ after: { epoch: 'epoch-1', offset: 0 } })).toMatchObject({ recovered: true });
  });

  it('is refused where there is none', async () => {
    await expect(houseOf().history({ topic: 'news' })).rejects.toThrow(
      'expected a topic that keeps history, got "news"',
    );
  });
});
