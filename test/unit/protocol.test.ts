import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ack, messagesIn } from '../../shared/protocol/acks.ts';
import { ClientError } from '../../shared/protocol/errors.ts';
import { Action, DATA_BYTES_MAX, NESTING_MAX } from '../../shared/protocol/frames.ts';
import {
  parseBare,
  parseHistory,
  parseJsonObject,
  parsePing,
  parsePublish as parsePublishOf,
  parseSend as parseSendOf,
  parseSubscribe,
  parseSubscription,
} from '../../shared/protocol/parse.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test gives what is wrong, too
const parsePublish = (frame: any) => parsePublishOf(frame, JSON.stringify(frame));
// biome-ignore lint/suspicious/noExplicitAny: a test gives what is wrong, too
const parseSend = (frame: any) => parseSendOf(frame, JSON.stringify(frame));

const parsers = {
  subscribe: parseSubscribe,
  unsubscribe: parseSubscription(Action.unsubscribe),
  publish: parsePublish,
  send: parseSend,
  history: parseHistory,
  ping: parsePing,
  whoami: parseBare(Action.whoami),
};

describe('a publish', () => {
  it('of one message', () => {
    const frame = { action: 'publish', id: '1', topic: 'chat/lobby', data: { text: 'hi' }, key: 'k' };
    expect(parsePublish(frame)).toEqual({
      id: '1',
      messages: [{ topics: ['chat/lobby'], data: '{"text":"hi"}', key: 'k' }],
      batch: false,
    });
  });

  it('of several', () => {
    const messages = [
      { topic: 'a', data: 1 },
      { topic: 'b', data: null },
    ];
    expect(parsePublish({ action: 'publish', messages })).toEqual({
      messages: messages.map(({ topic, data }) => ({ topics: [topic], data: `${data}` })),
      batch: true,
    });
  });

  it('to several topics, with options', () => {
    const frame = { action: 'publish', topics: ['a', 'b', 'a'], data: 1, maxAge: 2.5, except: 'self' };
    expect(parsePublish(frame)).toEqual({
      messages: [{ topics: ['a', 'b'], data: '1', maxAge: 2.5, except: 'self' }],
      batch: true,
    });
  });

  it('for all but some connections, each named once', () => {
    const frame = { action: 'publish', topic: 'a', data: 1, except: ['x', 'y', 'x'] };
    expect(parsePublish(frame).messages).toEqual([{ topics: ['a'], data: '1', except: ['x', 'y'] }]);
  });

  it('with a version, and a receipt wanted', () => {
    const one = { topic: 'a', data: 1, version: 7, receipt: true };
    expect(parsePublish({ action: 'publish', ...one }).messages).toEqual([
      { topics: ['a'], data: '1', version: 7, receipt: true },
    ]);
    expect(parsePublish({ action: 'publish', messages: [one, { ...one, receipt: false }] }).messages).toEqual(
      [
        { topics: ['a'], data: '1', version: 7, receipt: true },
        { topics: ['a'], data: '1', version: 7 },
      ],
    );
  });

  it.each([
    [{ topic: 'a' }, 'expected data to be any JSON value, got nothing'],
    [{ data: 1 }, 'expected topic to be a string, got nothing'],
    [
      { topic: 'a', data: 1, topik: 'b' },
      'expected publish to have no fields but action, id, topic, topics, data, key, family, maxAge, except, version, receipt, got "topik"',
    ],
    [
      { topic: 'a', data: 1, messages: [] },
      'expected publish with messages to have no fields but action, id, messages, got "topic"',
    ],
    [{ messages: [] }, 'expected 1 to 10 messages, got 0'],
    [{ messages: Array(11).fill({ topic: 'a', data: 1 }) }, 'expected 1 to 10 messages, got 11'],
    [{ messages: 'x' }, 'expected messages to be an array, got "x"'],
    [{ messages: [1] }, 'expected every message to be an object, got 1'],
    [
      { messages: [{ topic: 'a', data: 1, id: 2 }] },
      'expected a message to have no fields but topic, topics, data, key, family, maxAge, except, version, receipt, got "id"',
    ],
    [{ topic: 'a', topics: ['b'], data: 1 }, 'expected either topic or topics'],
    [{ topics: 'a', data: 1 }, 'expected topics to be an array, got "a"'],
    [{ topic: 'a', data: 1, maxAge: -1 }, 'expected maxAge to be a number of seconds above 0'],
    [{ topic: 'a', data: 1, except: 'me' }, 'expected except to be "self" or an array, got "me"'],
    [{ topic: 'a', data: 1, except: 7 }, 'expected except to be "self" or an array, got 7'],
    [{ topic: 'a', data: 1, except: Array(11).fill('a') }, 'expected 1 to 10 except, got 11'],
    [{ topic: 'a', data: 1, key: '' }, 'expected key to be a string of 1 to 128 characters, got ""'],
    [{ topic: 'a', data: 1, key: 'k\ud83d' }, 'expected key to be well-formed Unicode'],
    [{ topic: 'a', data: 1, version: 1, reset: true }, 'expected publish to have no fields but'],
    [{ topic: 'a', data: 1, family: 7 }, 'expected family to be a string of 1 to 128 characters, got 7'],
    [{ topic: 'a', data: 1, family: '\ud83d' }, 'expected family to be well-formed Unicode'],
    [
      { topic: 'a', data: 1, version: 0 },
      'expected version to be a whole number from 1 to 9007199254740991, got 0',
    ],
    [{ topic: 'a', data: 1, version: 1.5 }, 'expected version to be a whole number from 1 to'],
    [{ topic: 'a', data: 1, version: '2' }, 'expected version to be a whole number from 1 to'],
    [{ topic: 'a', data: 1, version: 2 ** 53 }, 'expected version to be a whole number from 1 to'],
    [{ topic: 'a', data: 1, receipt: 'yes' }, 'expected receipt to be true or false, got "yes"'],
    [{ topic: 'a', data: 1, id: 5 }, 'expected id to be a string of at most 128 characters, got 5'],
  ])('%j is refused', (fields, message) => {
    expect(() => parsePublish({ action: 'publish', ...fields })).toThrow(message);
  });

  it('takes data up to the limit, and no byte more', () => {
    const data = 'x'.repeat(DATA_BYTES_MAX - 2);
    expect(parsePublish({ topic: 'a', data }).messages).toHaveLength(1);
    expect(() => parsePublish({ topic: 'a', data: `${data}x` })).toThrow(
      `expected at most ${DATA_BYTES_MAX} bytes of data in one frame, got ${DATA_BYTES_MAX + 1}`,
    );
  });

  it('measures data as UTF-8, over all messages', () => {
    expect(() => parsePublish({ topic: 'a', data: 'é'.repeat(DATA_BYTES_MAX / 2) })).toThrow(/bytes/);
    const half = { topic: 'a', data: 'x'.repeat(DATA_BYTES_MAX / 2) };
    expect(() => parsePublish({ messages: [half, half] })).toThrow(/bytes/);
  });
});

const POSITION = { epoch: 'e', offset: 41 };
const WRONG_POSITIONS: [unknown, string][] = [
  ['start', 'to be {"epoch":…,"offset":…}, got "start"'],
  [{ offset: 1 }, 'expected epoch to be a string of 1 to 64 characters, got nothing'],
  [{ epoch: '', offset: 1 }, 'expected epoch to be a string of 1 to 64 characters, got ""'],
  [{ epoch: 'x'.repeat(65), offset: 1 }, 'expected epoch to be a string of 1 to 64 characters'],
  [{ epoch: 'e' }, 'expected offset to be a whole number from 0 to 9007199254740991, got nothing'],
  [{ epoch: 'e', offset: -1 }, 'expected offset to be a whole number from 0 to'],
  [{ epoch: 'e', offset: 1.5 }, 'expected offset to be a whole number from 0 to'],
  [{ epoch: 'e', offset: 1, limit: 2 }, 'to have no fields but epoch, offset, got "limit"'],
];

describe('a subscribe', () => {
  it.each([
    [{}, {}],
    [{ rewind: 1 }, { rewind: 1 }],
    [{ rewind: 300 }, { rewind: 300 }],
    [{ rewind: { seconds: 86_400 } }, { rewind: { seconds: 86_400 } }],
    [{ position: POSITION }, { position: POSITION }],
    [{ position: { epoch: 'e', offset: 0 } }, { position: { epoch: 'e', offset: 0 } }],
  ])('with %j', (fields, parsed) => {
    expect(parseSubscribe({ action: 'subscribe', id: '1', topic: 'chat/*', ...fields })).toEqual({
      id: '1',
      topic: 'chat/*',
      ...parsed,
    });
  });

  it.each([
    [{ rewind: 0 }, 'expected rewind to be a whole number from 1 to 300, got 0'],
    [{ rewind: 301 }, 'expected rewind to be a whole number from 1 to 300, got 301'],
    [{ rewind: 1.5 }, 'expected rewind to be a whole number from 1 to 300, got 1.5'],
    [{ rewind: '5' }, 'expected rewind to be a number of messages or {"seconds":…}, got "5"'],
    [{ rewind: null }, 'expected rewind to be a number of messages or {"seconds":…}, got null'],
    [{ rewind: { minutes: 5 } }, 'expected rewind to have no fields but seconds, got "minutes"'],
    [{ rewind: {} }, 'expected seconds to be a whole number from 1 to 86400, got nothing'],
    [{ rewind: { seconds: 86_401 } }, 'expected seconds to be a whole number from 1 to 86400, got 86401'],
    [
      { rewind: 1, position: POSITION },
      'expected either rewind or position, got {"rewind":1,"position":{"epoch":"e","offset":41}}',
    ],
    [{ after: POSITION }, 'expected subscribe to have no fields but action, id, topic, rewind, position'],
    ...WRONG_POSITIONS.map(([position, message]): [object, string] => [{ position }, message]),
  ])('with %j is refused', (fields, message) => {
    expect(() => parseSubscribe({ action: 'subscribe', topic: 'a', ...fields })).toThrow(message);
  });

  it('takes what an unsubscribe does not', () => {
    const raw = { topic: 'a', rewind: 1 };
    expect(() => parsers.unsubscribe(raw)).toThrow(
      'expected unsubscribe to have no fields but action, id, topic, got "rewind"',
    );
  });
});

describe('a history', () => {
  it.each([
    [{}, { limit: 50, reverse: false }],
    [
      { limit: 100, reverse: false },
      { limit: 100, reverse: false },
    ],
    [
      { after: POSITION, limit: 1 },
      { after: POSITION, limit: 1, reverse: false },
    ],
    [{ reverse: true }, { limit: 50, reverse: true }],
    [
      { reverse: true, before: 1 },
      { limit: 50, reverse: true, before: 1 },
    ],
  ])('with %j', (fields, parsed) => {
    expect(parseHistory({ action: 'history', topic: 'chat/a', ...fields })).toEqual({
      topic: 'chat/a',
      ...parsed,
    });
  });

  it.each([
    [{ topic: 'chat/*' }, 'expected every topic segment to be'],
    [{ topic: undefined }, 'expected topic to be a string, got nothing'],
    [{ limit: 0 }, 'expected limit to be a whole number from 1 to 100, got 0'],
    [{ limit: 101 }, 'expected limit to be a whole number from 1 to 100, got 101'],
    [{ limit: '10' }, 'expected limit to be a whole number from 1 to 100, got "10"'],
    [{ reverse: 'yes' }, 'expected reverse to be true or false, got "yes"'],
    [{ reverse: true, after: POSITION }, 'expected before only in reverse and after only forward, got'],
    [{ before: 5 }, 'expected before only in reverse and after only forward, got'],
    [{ reverse: true, before: 0 }, 'expected before to be a whole number from 1 to'],
    [
      { rewind: 5 },
      'expected history to have no fields but action, id, topic, after, before, limit, reverse',
    ],
    ...WRONG_POSITIONS.map(([after, message]): [object, string] => [{ after }, message]),
  ])('with %j is refused', (fields, message) => {
    expect(() => parseHistory({ action: 'history', topic: 'chat/a', ...fields })).toThrow(message);
  });
});

describe('a ping', () => {
  it('with positions, or none', () => {
    const position = { topic: 'chat/a', ...POSITION };
    expect(parsePing({ action: 'ping', id: '1' })).toEqual({ id: '1', positions: [] });
    expect(parsePing({ action: 'ping', positions: [position] })).toEqual({ positions: [position] });
    expect(parsePing({ positions: Array(100).fill(position) }).positions).toHaveLength(100);
  });

  it.each([
    [[], 'expected 1 to 100 positions, got 0'],
    [Array(101).fill({ topic: 'a', ...POSITION }), 'expected 1 to 100 positions, got 101'],
    [{ topic: 'a', ...POSITION }, 'expected positions to be an array'],
    [['a'], 'expected every position to be an object, got "a"'],
    [[POSITION], 'expected topic to be a string, got nothing'],
    [[{ topic: 'chat/*', ...POSITION }], 'expected every topic segment to be'],
    [[{ topic: 'a', epoch: 'e' }], 'expected offset to be a whole number from 0 to'],
    [[{ topic: 'a', ...POSITION, more: 1 }], 'expected every position to have no fields but epoch, offset'],
  ])('with the positions %j is refused', (positions, message) => {
    expect(() => parsePing({ action: 'ping', positions })).toThrow(message);
  });
});

describe('a frame of messages', () => {
  const topic = parseTopic('chat/a');
  const message = { messageId: 'm', publishedAt: 't', publisher: {}, data: 1 };

  it('is as good as one frame for each, with what there is beside the messages', () => {
    const messages = [
      { ...message, offset: 1 },
      { offset: 2, skipped: true as const },
    ];
    expect(messagesIn({ type: 'messages', topic, epoch: 'e', messages })).toEqual([
      { type: 'message', topic, epoch: 'e', ...message, offset: 1 },
      { type: 'message', topic, epoch: 'e', offset: 2, skipped: true },
    ]);
    expect(messagesIn({ type: 'messages', messages: [message] })).toEqual([{ type: 'message', ...message }]);
  });

  it('may be one already', () => {
    const frame = { type: 'message' as const, topic, ...message };
    expect(messagesIn(frame)).toEqual([frame]);
  });
});

describe('a send', () => {
  it.each([{ connectionId: 'L0SM9cOFvHcCIhw=' }, { userId: 'alice@example.com' }])('to %j', (to) => {
    expect(parseSend({ action: 'send', to, data: 1 })).toEqual({ to, data: '1' });
  });

  it.each([
    [undefined, /expected to to be/],
    [{}, /either a connectionId or a userId/],
    [{ connectionId: 'a', userId: 'b' }, /either a connectionId or a userId/],
    [{ user: 'a' }, /no fields but connectionId, userId, got "user"/],
    [{ userId: 'a b' }, /userId to be 1 to 128 characters/],
    [{ connectionId: '../x' }, /connectionId to be/],
  ])('to %j is refused', (to, message) => {
    expect(() => parseSend({ action: 'send', to, data: 1 })).toThrow(message);
  });
});

it.each([
  ['', 'expected a frame of JSON, got ""'],
  ['hello', 'expected a frame of JSON, got "hello"'],
  ['[1]', 'expected a JSON object, got [1]'],
  ['null', 'expected a JSON object, got null'],
  ['"x"', 'expected a JSON object, got "x"'],
])('the frame %j is refused', (text, message) => {
  expect(() => parseJsonObject(text)).toThrow(message);
});

describe('nesting', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const one = (data: string) => `{"topic":"a","data":${data}}`;
  const several = (data: string) => `{"messages":[{"topic":"a","data":1},{"topic":"a","data":${data}}]}`;
  const sent = (data: string) => `{"to":{"userId":"a"},"data":${data}}`;
  const publish = (text: string) => parsePublish(parseJsonObject(text));
  const send = (text: string) => parseSend(parseJsonObject(text));

  it.each([
    ['alone', one, publish],
    ['in a batch', several, publish],
    ['that is sent', sent, send],
  ])('has the same limit for data %s', (_, frameOf, parse) => {
    expect(JSON.stringify(parse(frameOf(nested(NESTING_MAX))))).toContain(nested(NESTING_MAX));
    expect(() => parse(frameOf(nested(NESTING_MAX + 1)))).toThrow('levels, got more');
  });

  it('is limited in all of a frame, so that it can be written out in an error', () => {
    const ofLevels = (levels: number) => `{"a":${nested(levels - 1)}}`;
    expect(JSON.stringify(parseJsonObject(ofLevels(503)))).toBe(ofLevels(503));
    for (const levels of [504, 60_000]) {
      expect(() => parseJsonObject(ofLevels(levels))).toThrow(
        'expected JSON of at most 503 levels, got more',
      );
    }
  });
});

it('does not send a long bad value back whole', () => {
  expect(() => parseJsonObject('x'.repeat(10_000))).toThrow(/^.{0,120}$/);
});

it('answers with the id of the command, and without one if it had none', () => {
  expect(ack('ping', { id: '7' }, {})).toEqual({ type: 'ack', id: '7', action: 'ping' });
  expect(ack('ping', {}, {})).toEqual({ type: 'ack', action: 'ping' });
});

it('meets any JSON object with a frame or a ClientError', () => {
  const field = fc.constantFrom(
    ...['action', 'id', 'topic', 'topics', 'data', 'key', 'messages', 'to', 'maxAge', 'except', 'x'],
    ...['version', 'receipt', 'rewind', 'position', 'after', 'before', 'limit', 'reverse', 'positions'],
  );
  /** What is almost right, too. */
  const position = fc.record({ topic: fc.constant('a'), epoch: fc.constant('e'), offset: fc.integer() });
  const value = fc.oneof(
    fc.jsonValue(),
    fc.boolean(),
    fc.integer(),
    fc.constant('chat/a'),
    position,
    fc.array(position),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(parsers)), fc.dictionary(field, value), (parse, raw) => {
      try {
        parse(raw);
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError);
      }
    }),
  );
});
