import { describe, expect, it } from 'vitest';
import { publish } from '../../services/publish/publish.ts';
import { parsePublish } from '../../shared/protocol/parse.ts';
import type { Publication } from '../../shared/protocol/publication.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import { namespacesOf } from '../support/namespaces.ts';

const NOW = '2026-11-20T05:00:00.123Z';

/** What a publish answers, and what it puts on the bus. */
async function run(frame: Record<string, unknown>) {
  const publications: Publication[] = [];
  let ids = 0;
  const reply = await publish(
    { connectionId: 'me', connectedAtMs: 0, frame: parsePublish(frame) },
    {
      bus: { publish: async (all) => void publications.push(...all) },
      now: () => Date.parse(NOW),
      newId: () => `id-${++ids}`,
      namespaces: namespacesOf({
        chat: { history: { messages: 10, seconds: 60 } },
        news: { history: { messages: 10, seconds: 60 }, clientPublish: false },
        small: { dataBytesMax: 10 },
      }),
    },
  );
  return { reply, publications };
}

describe('a publish', () => {
  it('goes on the bus with everything that was said about it', async () => {
    const more = { key: 'k', version: 3, maxAge: 5, except: 'self', receipt: true };
    const { reply, publications } = await run({ id: '7', topic: 'chat/a', data: 1, ...more });
    const publication: Publication = {
      targets: [{ topic: 'chat/a' as never }],
      payloads: [{ data: 1, messageId: 'id-1', key: 'k', version: 3 }],
      publishedAt: NOW,
      publisher: { connectionId: 'me' },
      maxAge: 5,
      except: ['me'],
      receipt: { connectionId: 'me', id: '7' },
    };
    expect(publications).toEqual([publication]);
    const [target] = publication.targets;
    const messageId = target && messagesTo(target, publication)[0]?.messageId;
    expect(reply).toEqual({ type: 'ack', id: '7', action: 'publish', messageId });
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
        [1, 1],
        [2, 2],
      ],
      [[3, undefined]],
      [[4, undefined]],
    ]);
    expect(reply).toEqual({
      type: 'ack',
      action: 'publish',
      messageIds: ['id-1', 'id-2', 'id-3', 'id-4'],
    });
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
