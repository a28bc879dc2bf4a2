import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Envelope,
  encodePublication,
  expectAllowed,
  expiryOf,
  type LoggedPlace,
  type Publication,
  parsePublication as parsePublicationOf,
} from '../../shared/protocol/publication.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { messageIdOf, messagesTo } from '../../shared/queues/messages.ts';
import { dataJson } from '../support/json-texts.ts';
import { namespacesOf } from '../support/namespaces.ts';

const parsePublication = (detail: unknown, envelope: Envelope): Publication =>
  parsePublicationOf(detail, JSON.stringify(detail), envelope);

const envelope = { id: 'event-id', time: '2026-11-20T05:00:00Z' };
const lobby = { topic: parseTopic('chat/lobby') };

const PLACE = { epoch: 'e', offset: 1 };
const logged = (places: unknown) => ({ topic: 'a', data: 1, logged: { table: 'messages', places } });

describe('a back end publishes', () => {
  it.each([
    [{ topic: 'chat/lobby', data: 1 }, [lobby]],
    [{ topics: ['chat/lobby', 'news', 'news'], data: 1 }, [lobby, { topic: 'news' }]],
    [{ to: { userId: 'alice' }, data: 1 }, [{ userId: 'alice' }]],
    [{ to: { connectionId: 'L0SM9cOFvHcCIhw=' }, data: 1 }, [{ connectionId: 'L0SM9cOFvHcCIhw=' }]],
    [{ to: 'everyone', data: 1 }, [{ everyone: true }]],
  ])('%j', (detail, targets) => {
    expect(parsePublication(detail, envelope)).toEqual({
      targets,
      payloads: [{ data: '1', messageId: 'event-id' }],
      publishedAt: envelope.time,
      publisher: {},
    });
  });

  it.each(['2026-11-20T05:00:00Z', '2024-02-29T23:59:59.123456789+05:30', '0001-01-01T00:00:00.5-23:59'])(
    'with the time of its own %s',
    (publishedAt) => {
      expect(parsePublication({ topic: 'a', data: 1, publishedAt }, envelope)).toMatchObject({ publishedAt });
    },
  );

  it('several messages with one event, each with an id of its own', () => {
    const detail = { topic: 'chat/lobby', messages: [{ data: 1 }, { data: 2, messageId: 'mine' }] };
    expect(parsePublication(detail, envelope).payloads).toEqual([
      { data: '1', messageId: 'event-id.0' },
      { data: '2', messageId: 'mine' },
    ]);
  });

  it('data as deep as clients do, alone or among others', () => {
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    const details = (data: unknown) => [
      { topic: 'a', data },
      { topic: 'a', messages: [{ data: 1 }, { data }] },
    ];
    for (const detail of details(nested(500)))
      expect(parsePublication(detail, envelope).payloads).toBeDefined();
    for (const detail of details(nested(501))) {
      expect(() => parsePublication(detail, envelope)).toThrow(
        'expected data of at most 500 levels, got more',
      );
    }
  });

  it('with options', () => {
    const detail = { topic: 'chat/lobby', data: 1, maxAge: 0.5, except: ['L0SM9cOFvHcCIhw='] };
    expect(parsePublication(detail, envelope)).toMatchObject({ maxAge: 0.5, except: ['L0SM9cOFvHcCIhw='] });
  });

  it('with versions, each message its own', () => {
    const detail = { topic: 'chat/lobby', messages: [{ data: 1, version: 3 }, { data: 2 }] };
    expect(parsePublication(detail, envelope).payloads).toEqual([
      { data: '1', messageId: 'event-id.0', version: 3 },
      { data: '2', messageId: 'event-id.1' },
    ]);
  });

  it('with a receipt for a connection', () => {
    const receipt = { connectionId: 'L0SM9cOFvHcCIhw=', id: '7' };
    const parsed = (receipt: object) => parsePublication({ topic: 'a', data: 1, receipt }, envelope).receipt;
    expect(parsed(receipt)).toEqual(receipt);
    expect(parsed({ connectionId: receipt.connectionId })).toEqual({ connectionId: receipt.connectionId });
  });

  it.each([
    ['x', 'expected detail to be an object'],
    [{ data: 1 }, 'expected detail to have one of topic, topics and to'],
    [{ topic: 'a', to: 'everyone', data: 1 }, 'expected detail to have one of topic, topics and to'],
    [{ topic: 'a', topics: ['b'], data: 1 }, 'expected either topic or topics'],
    [{ topics: [], data: 1 }, 'expected 1 to 100 topics, got 0'],
    [{ topic: 'a', data: 1, messageId: '\ud800' }, 'expected messageId to be well-formed Unicode'],
    [{ topic: 'a' }, 'expected data to be any JSON value'],
    [{ topic: 'a', data: 1, subject: 'x' }, 'got "subject"'],
    [{ topic: 'a', data: 1, messages: [{ data: 1 }] }, 'expected data in each of the messages'],
    [{ topic: 'a', messages: [{ data: 1, topic: 'b' }] }, 'expected a message to have no fields but'],
    [{ topic: 'a', messages: Array(101).fill({ data: 1 }) }, 'expected 1 to 100 messages, got 101'],
    [{ to: 'all', data: 1 }, 'expected to to be'],
    [{ topic: 'a', data: 1, publisher: 'x' }, 'expected publisher to be an object'],
    [{ topic: 'a', data: 1, messageId: '' }, 'expected messageId to be a string'],
    ...[
      'noon',
      '2026',
      '2026-11-20',
      'Fri, 20 Nov 2026 05:00:00 GMT',
      '20 Nov 2026 05:00:00Z',
      '2026-11-20 05:00:00Z',
      '2026-11-20T05:00:00',
      '2026-11-20T05:00Z',
      '2026-11-20T05:00:00+0100',
      '2026-11-20T24:00:00Z',
      '2026-02-29T05:00:00Z',
      '2026-11-31T05:00:00Z',
      '+012026-11-20T05:00:00Z',
      '2026-11-20T05:00:00Z ',
      '2026-11-20T05:00:00Z\n',
      '2026-11-20T05:00:60Z',
    ].map((publishedAt): [object, string] => [
      { topic: 'a', data: 1, publishedAt },
      'expected publishedAt to be a time in ISO 8601, like 2026-11-20T05:33:00.123Z, got "',
    ]),
    [{ topic: 'a', data: 1, maxAge: 0 }, 'expected maxAge to be a number of seconds above 0'],
    [{ topic: 'a', data: 1, maxAge: '5' }, 'expected maxAge to be a number of seconds above 0'],
    [{ topic: 'a', data: 1, except: 'self' }, 'expected except to be an array, got "self"'],
    [{ topic: 'a', data: 1, version: 1, reset: 1 }, 'expected reset to be true or false, got 1'],
    [{ topic: 'a', data: 1, reset: true }, 'expected reset only with a version, got nothing'],
    [{ topic: 'a', data: 1, version: 0 }, 'expected version to be a whole number from 1 to'],
    [
      { topic: 'a', version: 1, messages: [{ data: 1 }] },
      'expected version in each of the messages, got "version beside them"',
    ],
    [{ topic: 'a', data: 1, receipt: true }, 'expected receipt to be {"connectionId":…,"id":…}, got true'],
    [{ topic: 'a', data: 1, receipt: {} }, 'expected to to name either a connectionId or a userId'],
    [
      { topic: 'a', data: 1, receipt: { connectionId: 'c', to: 1 } },
      'expected receipt to have no fields but',
    ],
    [
      { topic: 'a', data: 1, receipt: { connectionId: 'c', id: 7 } },
      'expected receipt.id to be a string of 1 to 128 characters, got 7',
    ],
    [{ topic: 'a', data: 1, except: ['a b'] }, 'expected except to be 1 to 128 characters'],
    [{ topic: 'a', data: 1, logged: {} }, 'expected logged.table to be the name of a table, got nothing'],
    [logged([[PLACE], [PLACE]]), 'expected one of logged.places for each target, got [['],
    [logged([[]]), 'expected one of the places of a target for each payload, got []'],
    [logged([[null]]), 'expected every place to be an object, got null'],
    [logged([[{ ...PLACE, offset: -1 }]]), 'offset'],
    [logged([[{ ...PLACE, again: 1 }]]), 'expected a place to be a position, or dropped because it is stale'],
    [logged([[{ ...PLACE, unused: 0 }]]), 'expected unused to be a whole number'],
    [logged([[{ ...PLACE, dropped: 'stale' }]]), 'expected a place to be a position, or dropped'],
    [logged([[{ dropped: 'x' }]]), 'expected a place to be a position, or dropped'],
  ])('%j and is told why not', (detail, message) => {
    expect(() => parsePublication(detail, envelope)).toThrow(message);
  });
});

describe('a namespace forbids', () => {
  const namespaces = namespacesOf({
    chat: { history: { messages: 10, seconds: 60 } },
    small: { history: { messages: 10, seconds: 60 }, dataBytesMax: 10 },
  });
  const check = (detail: object) => expectAllowed(parsePublication(detail, envelope), namespaces);
  const receipt = { connectionId: 'L0SM9cOFvHcCIhw=' };

  it('nothing that suits it', () => {
    check({ topic: 'chat/lobby', data: 'x'.repeat(100), version: 1, receipt });
    check({ topics: ['chat/lobby', 'news'], data: 1, key: 'k' });
    check({ topic: 'small', data: 'x'.repeat(8), version: 1 });
    check({ to: 'everyone', data: 'x'.repeat(100) });
  });

  it.each([
    [
      { topic: 'news', version: 1 },
      'a version only of messages to topics that keep history, got {"topic":"news"}',
    ],
    [
      { topic: 'news', receipt },
      'a receipt only of messages to topics that keep history, got {"topic":"news"}',
    ],
    [{ topics: ['chat/a', 'news'], receipt }, 'a receipt only of messages to topics that keep history'],
    [{ to: { userId: 'alice' }, version: 1 }, 'a version only of messages to topics that keep history'],
    [{ to: 'everyone', receipt }, 'a receipt only of messages to topics that keep history'],
  ])('%j', (detail, message) => {
    expect(() => check({ ...detail, data: 1 })).toThrow(`expected ${message}`);
  });

  it('more data than it takes, in UTF-8, of each message', () => {
    const tooLarge = expect.objectContaining({
      code: 'too_large',
      message: 'expected at most 10 bytes of data in this namespace, got 11',
    });
    const codeOf = (detail: object): unknown => {
      try {
        return check(detail);
      } catch (error) {
        return error;
      }
    };
    expect(codeOf({ topic: 'small', data: 'x'.repeat(9) })).toEqual(tooLarge);
    expect(codeOf({ topic: 'small', data: 'éééé.' })).toEqual(tooLarge);
    expect(codeOf({ topics: ['chat/a', 'small'], data: 'x'.repeat(9) })).toEqual(tooLarge);
    expect(codeOf({ topic: 'small', messages: [{ data: 1 }, { data: 'x'.repeat(9) }] })).toEqual(tooLarge);
    check({ topic: 'small', messages: [{ data: 'xxxxx' }, { data: 'xxxxx' }] });
  });
});

/** Every kind of place. */
function loggedFor(targets: number, payloads: number): NonNullable<Publication['logged']> {
  const places: LoggedPlace[] = [
    { epoch: 'e', offset: 7 },
    { epoch: 'e', offset: 8, again: true, unused: 9 },
    { dropped: 'stale' },
  ];
  const ofTarget = Array.from({ length: payloads }, (_, index) => places[index % 3] as LoggedPlace);
  return {
    table: 'messages',
    places: Array.from({ length: targets }, (_, index) => (index ? null : ofTarget)),
  };
}

it('comes through the bus as it was, for every target, any data and any options', () => {
  const targets = fc.constantFrom<Publication['targets']>(
    [lobby],
    [lobby, { topic: parseTopic('news') }],
    [{ userId: 'alice' }],
    [{ connectionId: 'L0SM9cOFvHcCIhw=' }],
    [{ everyone: true }],
  );
  const name = fc.stringMatching(/^[a-z]{1,9}$/);
  const payload = fc
    .record(
      { data: fc.jsonValue().map(dataJson), messageId: name, key: name, version: fc.integer({ min: 1 }) },
      { requiredKeys: ['data', 'messageId'] },
    )
    .chain((each) => fc.constantFrom(each, 'version' in each ? { ...each, reset: true as const } : each));
  const options = fc.record(
    {
      maxAge: fc.integer({ min: 1, max: 100 }),
      except: fc.constant(['abc=']),
      receipt: fc.constantFrom({ connectionId: 'abc=' }, { connectionId: 'abc=', id: '7' }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      targets,
      fc.array(payload, { minLength: 1, maxLength: 5 }),
      options,
      fc.boolean(),
      (targets, payloads, options, isLogged) => {
        const publisher = { connectionId: 'L0SM9cOFvHcCIhw=' };
        const publication = {
          targets,
          payloads,
          publishedAt: '2026-11-20T05:00:00.123Z',
          publisher,
          ...options,
          ...(isLogged && { logged: loggedFor(targets.length, payloads.length) }),
        };
        const detail = encodePublication(publication);
        expect(parsePublicationOf(JSON.parse(detail), detail, envelope)).toEqual(publication);
      },
    ),
  );
});

it('gives a message that is published again with its key the same id', () => {
  const id = messageIdOf(lobby, 0, { messageId: 'x', key: 'order-1' });
  expect(messageIdOf(lobby, 3, { messageId: 'y', key: 'order-1' })).toBe(id);
  expect(messageIdOf(lobby, 0, { messageId: 'x', key: 'order-2' })).not.toBe(id);
  expect(messageIdOf({ topic: parseTopic('chat/other') }, 0, { messageId: 'x', key: 'order-1' })).not.toBe(
    id,
  );
  const publication = parsePublication({ topics: ['news', 'chat/lobby'], data: 1, key: 'order-1' }, envelope);
  expect(publication.targets.flatMap((target) => messagesTo(target, publication)[0]?.messageId)[1]).toBe(id);
});

it('gives the message on each of several topics an id of its own', () => {
  const publication = parsePublication({ topics: ['a', 'b', 'c'], data: 1, messageId: 'm' }, envelope);
  const ids = publication.targets
    .flatMap((target) => messagesTo(target, publication))
    .map((each) => each.messageId);
  expect(ids).toEqual(['m', 'm-1', 'm-2']);
});

it('is too late a maxAge after it was published, and no sooner because the bus cuts off milliseconds', () => {
  const expiry = (detail: object) =>
    expiryOf(parsePublication({ topic: 'a', data: 1, ...detail }, envelope), envelope);
  expect(expiry({})).toBeUndefined();
  expect(expiry({ maxAge: 2, publishedAt: '2026-11-20T05:00:00.500Z' })).toBe(
    Date.UTC(2026, 10, 20, 5, 0, 2, 500),
  );
  expect(expiry({ maxAge: 2 })).toBe(Date.UTC(2026, 10, 20, 5, 0, 3));
});
