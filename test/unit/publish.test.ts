import { describe, expect, it } from 'vitest';
import { type PublishDeps, publish } from '../../services/publish/publish.ts';
import { parsePublish } from '../../shared/protocol/parse.ts';
import { encodePublication, type Publication } from '../../shared/protocol/publication.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import { dataJson } from '../support/json-texts.ts';
import { namespacesOf } from '../support/namespaces.ts';
import { NO_GUARD } from '../support/no-guard.ts';
import { NO_LIMITS } from '../support/no-limits.ts';
import { once, TopicLog } from '../support/topic-log.ts';

const NOW = '2026-11-20T05:00:00.123Z';

function depsOn(log: TopicLog, bus: PublishDeps['bus'], ids = 0, at = NOW): PublishDeps {
  log.nowMs = Date.parse(at);
  return {
    bus,
    logs: log.logs(),
    logTable: 'messages',
    epochs: new Map(),
    now: log.now,
    newId: () => `id-${++ids}`,
    guard: NO_GUARD,
    limits: NO_LIMITS,
    namespaces: namespacesOf({
      chat: { history: { messages: 10, seconds: 60 } },
      news: { history: { messages: 10, seconds: 60 }, clientPublish: false },
      small: { dataBytesMax: 10 },
    }),
  };
}

const frameOf = (fields: Record<string, unknown>) => parsePublish(fields, JSON.stringify(fields));

const bearing = (userId?: string) =>
  userId === undefined ? {} : { bearer: { userId, rights: {}, expiresAtMs: Infinity } };

/** What a publish answers, and what it puts on the bus. */
async function run(
  frame: Record<string, unknown>,
  log = new TopicLog(),
  ids = 0,
  at = NOW,
  { connectionId = 'me', userId }: { connectionId?: string; userId?: string } = {},
) {
  const publications: Publication[] = [];
  const bus = { publish: async (all: readonly Publication[]) => void publications.push(...all) };
  const input = { connectionId, ...bearing(userId), connectedAtMs: 0, frame: frameOf(frame) };
  return { reply: await publish(input, depsOn(log, bus, ids, at)), publications };
}

describe('a publish', () => {
  it('goes on the bus with everything that was said about it', async () => {
    const more = { key: 'k', version: 3, maxAge: 5, except: 'self', receipt: true };
    const { reply, publications } = await run({ id: '7', topic: 'chat/a', data: 1, ...more });
    const place = { epoch: 'id-2', offset: 1 };
    const publication: Publication = {
      targets: [{ topic: 'chat/a' as never }],
      payloads: [{ data: dataJson(1), messageId: 'id-1', key: expect.any(String), version: 3 }],
      publishedAt: NOW,
      publisher: { connectionId: 'me' },
      maxAge: 5,
      except: ['me'],
      receipt: { connectionId: 'me', id: '7' },
      logged: { table: 'messages', places: [[place]] },
    };
    expect(publications).toEqual([publication]);
    const [published = publication] = publications;
    const [target] = published.targets;
    const messageId = target && messagesTo(target, published)[0]?.messageId;
    expect(reply).toEqual({ type: 'ack', id: '7', action: 'publish', messageId, ...place });
  });

  it('has a receipt without an id if it has none itself', async () => {
    const { publications } = await run({ topic: 'chat/a', data: 1, receipt: true });
    expect(publications[0]?.receipt).toEqual({ connectionId: 'me' });
  });

  it('of neighbours that differ only in their data and version is one event', async () => {
    const messages = [
      { topic: 'chat/a', data: 1, version: 1, receipt: true },
      { topic: 'chat/a', data: 2, version: 2, receipt: true },
      { topic: 'chat/a', data: 3 },
      { topic: 'chat/b', data: 4 },
    ];
    const { reply, publications } = await run({ messages });
    expect(publications.map(({ payloads }) => payloads.map(({ data, version }) => [data, version]))).toEqual([
      [
        ['1', 1],
        ['2', 2],
      ],
      [['3', undefined]],
      [['4', undefined]],
    ]);
    const [a, b] = ['id-5', 'id-6']; // the epochs of the two logs
    const places = [1, 2, 3].map((offset) => ({ epoch: a, offset }));
    expect(publications.map(({ logged }) => logged?.places)).toEqual([
      [places.slice(0, 2)],
      [places.slice(2)],
      [[{ epoch: b, offset: 1 }]],
    ]);
    expect(reply).toEqual({
      type: 'ack',
      action: 'publish',
      messageIds: ['id-1', 'id-2', 'id-3', 'id-4'],
      places: [...places, { epoch: b, offset: 1 }],
    });
  });

  it('to several topics is answered with a place for each that keeps history', async () => {
    const { reply, publications } = await run({ topics: ['quick', 'chat/a'], data: 1 });
    const place = { epoch: 'id-2', offset: 1 };
    expect(reply).toMatchObject({ messageIds: ['id-1', 'id-1-1'], places: [null, place] });
    expect(publications[0]?.logged?.places).toEqual([null, [place]]);
    const volatile = await run({ topics: ['quick', 'quick/b'], data: 1 });
    expect(volatile.reply).not.toHaveProperty('places');
    expect(volatile.publications[0]).not.toHaveProperty('logged');
  });

  it('of a version that is not the newest is answered so', async () => {
    const log = new TopicLog();
    await run({ topic: 'chat/lobby', data: 1, version: 2 }, log);
    const { reply, publications } = await run({ topic: 'chat/lobby', data: 0, version: 1 }, log);
    expect(reply).toMatchObject({ messageId: 'id-1', dropped: 'stale' });
    expect(publications[0]?.logged?.places).toEqual([[{ dropped: 'stale' }]]);
  });

  it.each([
    ['k', {}],
    // As the SDK makes them: it is not looked for first, and subscribers are told of the offset that it took in vain.
    ['0b5e5a346a0c4a548e556f4c27d9a1d3', { unused: 3 }],
    ['0b5e5a34-6a0c-4a54-8e55-6f4c27d9a1d3', { unused: 3 }],
    ['0b5e5a34-6a0c4a548e556f4c27d9a1d3', {}],
  ])('with key %s, published before, goes on the bus again, at the offset that it has', async (key, more) => {
    const log = new TopicLog();
    const first = await run({ topic: 'chat/lobby', data: 1, key }, log);
    await run({ topic: 'chat/lobby', data: 2 }, log);
    const again = await run({ topic: 'chat/lobby', data: 'other', key }, log, 9);
    expect(again.reply).toEqual(first.reply);
    const epoch = expect.any(String);
    expect(again.publications[0]?.logged?.places).toEqual([[{ epoch, offset: 1, again: true, ...more }]]);
    expect((await log.contents()).slice(2)).toEqual('unused' in more ? [null] : []);
  });

  it('of several with keys that were published before says so of each', async () => {
    const log = new TopicLog();
    const messages = ['k', 'l'].map((key) => ({ topic: 'chat/lobby', data: key, key }));
    await run({ messages }, log);
    const { publications } = await run({ messages }, log, 9);
    const places = [1, 2].map((offset) => ({ epoch: expect.any(String), offset, again: true }));
    expect(publications.map(({ logged }) => logged?.places)).toEqual([[places]]);
  });

  it('of several keeps their order though a reader does not wait for the first', async () => {
    const log = new TopicLog();
    const tombstone = async () => log.logs().write(await log.log(), { offset: 1, atMs: log.nowMs }, 60);
    const deps = depsOn(log, { publish: async () => {} });
    const messages = [1, 2].map((data) => ({ topic: 'chat/lobby', data }));
    await publish(
      { connectionId: 'me', connectedAtMs: 0, frame: frameOf({ messages }) },
      { ...deps, logs: log.logs(once('before write', tombstone)) },
    );
    expect(await log.contents()).toEqual([null, null, 'id-1', 'id-2']);
  });

  it('measures the 5 minutes of a key by the route’s own clock, and takes no time from its publisher', async () => {
    const log = new TopicLog();
    const at = async (time: string) =>
      (await run({ topic: 'chat/lobby', data: 1, key: 'k' }, log, 0, `2026-11-20T${time}Z`)).reply;
    const first = await at('05:00:00.123');
    expect(await at('05:05:00.123')).toEqual(first);
    expect(await at('05:05:00.124')).toEqual({ ...first, offset: 2 });
    const dated = { topic: 'chat/lobby', data: 1, publishedAt: NOW };
    await expect(run(dated, log)).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('is in the log before it is on the bus, and on the bus before it is answered', async () => {
    const log = new TopicLog();
    const seen: unknown[] = [];
    const bus = { publish: async () => void seen.push('bus', await log.contents()) };
    const deps = depsOn(log, bus);
    const frame = frameOf({ topic: 'chat/lobby', data: 1 });
    await publish({ connectionId: 'me', connectedAtMs: 0, frame }, deps);
    expect(seen).toEqual(['bus', ['id-1']]);
    const failing = depsOn(log, { publish: () => Promise.reject(new Error('down')) });
    await expect(publish({ connectionId: 'me', connectedAtMs: 0, frame }, failing)).rejects.toThrow('down');
  });

  it.each([
    [{ topic: 'news', data: 1 }, 'forbidden', 'expected a topic that clients may publish to, got "news"'],
    [{ topics: ['chat/a', 'news/b'], data: 1 }, 'forbidden', 'got "news/b"'],
    [
      { topic: 'quick', data: 1, receipt: true },
      'bad_request',
      'expected a receipt only of messages to topics',
    ],
    [
      { topics: ['chat/a', 'quick'], data: 1, version: 1 },
      'bad_request',
      'expected a version only of messages',
    ],
    [
      { topic: 'small', data: 'x'.repeat(9) },
      'too_large',
      'expected at most 10 bytes of data in this namespace',
    ],
  ])('%j is refused', async (fields, code, message) => {
    await expect(run(fields)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    const good = { topic: 'chat/a', data: 0 };
    // Of several messages none is published then.
    await expect(run({ messages: [good, fields] })).rejects.toMatchObject({ code });
  });
});

/** Who publishes a message with the same key: another one puts other data there. */
interface Try {
  readonly connectionId?: string;
  readonly userId?: string;
  readonly family?: string;
}
const UUID = '0b5e5a34-6a0c-4a54-8e55-6f4c27d9a1d3';

describe('a key', () => {
  const publishAs = async (log: TopicLog, { family, ...who }: Try, key: string, topic = 'chat/lobby') => {
    const frame = { topic, data: 1, key, ...(family !== undefined && { family }) };
    const { reply, publications } = await run(frame, log, log.tables.items('messages').length, NOW, who);
    const { offset, messageId } = reply as { readonly offset?: number; readonly messageId?: string };
    return { offset, messageId, key: publications[0]?.payloads[0]?.key };
  };

  it.each<[string, string, Try, Try]>([
    ['a connection', 'order-42', {}, { connectionId: 'other' }],
    ['an SDK client', 'order-42', { family: 'a' }, { family: 'b' }],
    ['an SDK client, though all know it', UUID, { family: 'a' }, { family: 'b' }],
    ['an SDK client, not of a connection', 'order-42', { family: 'me' }, {}],
    ['a user', 'order-42', { userId: 'alice' }, { userId: 'bob' }],
    ['a user, though all know it', UUID, { userId: 'alice' }, { userId: 'bob' }],
    [
      'a user, whatever its client calls itself',
      'k',
      { userId: 'a', family: 'x' },
      { userId: 'b', family: 'x' },
    ],
    ['a user, not of a client that says so', 'order-42', { userId: 'alice' }, { family: 'alice' }],
    ['a user, not of nobody', 'order-42', { userId: 'alice' }, {}],
  ])('belongs to %s: nobody else can use it up', async (_, key, owner, stranger) => {
    const log = new TopicLog();
    const stolen = await publishAs(log, stranger, key);
    const own = await publishAs(log, owner, key);
    expect([stolen.offset, own.offset]).toEqual([1, 2]);
    expect(own.messageId).not.toBe(stolen.messageId);
    // And the owner still has it.
    expect(await publishAs(log, owner, key)).toMatchObject({ offset: 2, messageId: own.messageId });
  });

  it.each<[string, string, Try, Try]>([
    ['a user on any connection', 'k', { userId: 'a', connectionId: '1' }, { userId: 'a', connectionId: '2' }],
    ['a user of any client', 'k', { userId: 'a', family: 'x' }, { userId: 'a', family: 'y' }],
    ['an SDK client on any connection', 'k', { family: 'x' }, { family: 'x', connectionId: '2' }],
    ['whoever knows it, if it is random and of nobody', UUID, {}, { connectionId: '2' }],
  ])('is the same one of %s', async (_, key, one, other) => {
    const log = new TopicLog();
    const first = await publishAs(log, one, key);
    expect(await publishAs(log, other, key)).toEqual(first);
    const volatile = await publishAs(log, one, key, 'quick');
    expect(await publishAs(log, other, key, 'quick')).toEqual(volatile);
  });

  it('goes on the bus as one that a back end does not have, and no secret with it', async () => {
    const log = new TopicLog();
    for (const key of ['order-42', UUID, UUID.replaceAll('-', '')]) {
      for (const who of [{}, { family: 'secret' }, { userId: 'alice' }]) {
        const bus: string[] = [];
        const put = async (all: readonly Publication[]) => void bus.push(...all.map(encodePublication));
        const frame = frameOf({ topic: 'chat/lobby', data: 1, key, ...('family' in who && who) });
        const bearer = bearing('userId' in who ? who.userId : undefined);
        const input = { connectionId: 'me', connectedAtMs: 0, frame, ...bearer };
        await publish(input, depsOn(log, { publish: put }, log.tables.items('messages').length));
        const event = bus.join().replace('"publisher":{"userId":"alice"}', '');
        expect(event).not.toMatch(new RegExp(`${key}|secret|alice`));
      }
    }
  });
});
