import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientError } from '../../shared/errors.ts';
import {
  Action,
  ack,
  DATA_BYTES_MAX,
  NESTING_MAX,
  parseBare,
  parseJsonObject,
  parsePublish,
  parseSend,
  parseSubscription,
} from '../../shared/protocol.ts';

const parsers = {
  subscribe: parseSubscription(Action.subscribe),
  publish: parsePublish,
  send: parseSend,
  ping: parseBare(Action.ping),
};

describe('a publish', () => {
  it('of one message', () => {
    const frame = { action: 'publish', id: '1', topic: 'chat/lobby', data: { text: 'hi' }, key: 'k' };
    expect(parsePublish(frame)).toEqual({
      id: '1',
      messages: [{ topics: ['chat/lobby'], data: { text: 'hi' }, key: 'k' }],
      batch: false,
    });
  });

  it('of several', () => {
    const messages = [
      { topic: 'a', data: 1 },
      { topic: 'b', data: null },
    ];
    expect(parsePublish({ action: 'publish', messages })).toEqual({
      messages: messages.map(({ topic, data }) => ({ topics: [topic], data })),
      batch: true,
    });
  });

  it('to several topics, with options', () => {
    const frame = { action: 'publish', topics: ['a', 'b', 'a'], data: 1, maxAge: 2.5, except: 'self' };
    expect(parsePublish(frame)).toEqual({
      messages: [{ topics: ['a', 'b'], data: 1, maxAge: 2.5, except: 'self' }],
      batch: true,
    });
  });

  it.each([
    [{ topic: 'a' }, 'expected data to be any JSON value, got nothing'],
    [{ data: 1 }, 'expected topic to be a string, got nothing'],
    [
      { topic: 'a', data: 1, topik: 'b' },
      'expected publish to have no fields but action, id, topic, topics, data, key, maxAge, except, got "topik"',
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
      'expected a message to have no fields but topic, topics, data, key, maxAge, except, got "id"',
    ],
    [{ topic: 'a', topics: ['b'], data: 1 }, 'expected either topic or topics'],
    [{ topics: 'a', data: 1 }, 'expected topics to be an array, got "a"'],
    [{ topic: 'a', data: 1, maxAge: -1 }, 'expected maxAge to be a number of seconds above 0'],
    [{ topic: 'a', data: 1, except: 'me' }, 'expected except to be an array, got "me"'],
    [{ topic: 'a', data: 1, except: Array(11).fill('a') }, 'expected 1 to 10 except, got 11'],
    [{ topic: 'a', data: 1, key: '' }, 'expected key to be a string of 1 to 128 characters, got ""'],
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

  it('measures data as UTF-8, written out, over all messages', () => {
    expect(() => parsePublish({ topic: 'a', data: 'é'.repeat(DATA_BYTES_MAX / 2) })).toThrow(/bytes/);
    expect(() => parsePublish({ topic: 'a', data: Array(7_000).fill(1e20) })).toThrow(/bytes/);
    const half = { topic: 'a', data: 'x'.repeat(DATA_BYTES_MAX / 2) };
    expect(() => parsePublish({ messages: [half, half] })).toThrow(/bytes/);
  });
});

describe('a send', () => {
  it.each([{ connectionId: 'L0SM9cOFvHcCIhw=' }, { userId: 'alice@example.com' }])('to %j', (to) => {
    expect(parseSend({ action: 'send', to, data: 1 })).toEqual({ to, data: 1 });
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
  [undefined, 'expected a frame of JSON, got ""'],
  ['hello', 'expected a frame of JSON, got "hello"'],
  ['[1]', 'expected a JSON object, got [1]'],
  ['null', 'expected a JSON object, got null'],
  ['"x"', 'expected a JSON object, got "x"'],
])('the frame %j is refused', (text, message) => {
  expect(() => parseJsonObject(text)).toThrow(message);
});

it('takes JSON as deep as can be written out again, and refuses what is deeper', () => {
  const nested = (levels: number) => `{"data":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  expect(JSON.stringify(parseJsonObject(nested(NESTING_MAX - 1)))).toBe(nested(NESTING_MAX - 1));
  expect(() => parseJsonObject(nested(NESTING_MAX))).toThrow('expected JSON of at most 500 levels, got more');
  expect(() => parseJsonObject(nested(60_000))).toThrow('expected JSON of at most 500 levels, got more');
});

it('does not send a long bad value back whole', () => {
  expect(() => parseJsonObject('x'.repeat(10_000))).toThrow(/^.{0,120}$/);
});

it('answers with the id of the command, and without one if it had none', () => {
  expect(ack('ping', { id: '7' })).toEqual({ type: 'ack', id: '7', action: 'ping' });
  expect(ack('ping', {})).toEqual({ type: 'ack', action: 'ping' });
});

it('meets any JSON object with a frame or a ClientError', () => {
  const field = fc.constantFrom('action', 'id', 'topic', 'data', 'key', 'messages', 'to', 'x');
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(parsers)),
      fc.dictionary(field, fc.jsonValue()),
      (parse, raw) => {
        try {
          parse(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(ClientError);
        }
      },
    ),
  );
});
