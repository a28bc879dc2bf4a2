import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodePublication,
  messageIdOf,
  type Publication,
  parsePublication,
  toMessageFrame,
} from '../../shared/publication.ts';
import { parseTopic } from '../../shared/topic.ts';

const envelope = { id: 'event-id', time: '2026-11-20T05:00:00Z' };
const topic = parseTopic('chat/lobby');

describe('a back end publishes', () => {
  it.each([
    [{ topic: 'chat/lobby', data: 1 }, { topic: 'chat/lobby' }],
    [{ to: { userId: 'alice' }, data: 1 }, { userId: 'alice' }],
    [{ to: { connectionId: 'L0SM9cOFvHcCIhw=' }, data: 1 }, { connectionId: 'L0SM9cOFvHcCIhw=' }],
    [{ to: 'everyone', data: 1 }, { everyone: true }],
  ])('%j', (detail, target) => {
    expect(parsePublication(detail, envelope)).toEqual({
      target,
      data: 1,
      messageId: 'event-id',
      publishedAt: envelope.time,
      publisher: {},
    });
  });

  it.each([
    ['x', 'expected detail to be an object'],
    [{ data: 1 }, 'expected detail to have either topic or to'],
    [{ topic: 'a', to: 'everyone', data: 1 }, 'expected detail to have either topic or to'],
    [{ topic: 'a' }, 'expected data to be any JSON value'],
    [{ topic: 'a', data: 1, subject: 'x' }, 'got "subject"'],
    [{ to: 'all', data: 1 }, 'expected to to be'],
    [{ topic: 'a', data: 1, publisher: 'x' }, 'expected publisher to be an object'],
    [{ topic: 'a', data: 1, messageId: '' }, 'expected messageId to be a string'],
  ])('%j and is told why not', (detail, message) => {
    expect(() => parsePublication(detail, envelope)).toThrow(message);
  });
});

it('comes through the bus as it was, for every target and any data', () => {
  const target = fc.constantFrom<Publication['target']>(
    { topic },
    { userId: 'alice' },
    { connectionId: 'L0SM9cOFvHcCIhw=' },
    { everyone: true },
  );
  fc.assert(
    fc.property(target, fc.jsonValue(), (target, data) => {
      const publisher = { connectionId: 'L0SM9cOFvHcCIhw=' };
      const publication = { target, data, messageId: 'm', publishedAt: 'p', publisher };
      const read = parsePublication(JSON.parse(encodePublication(publication)), envelope);
      expect(read).toEqual(JSON.parse(JSON.stringify(publication)));
    }),
  );
});

it('escapes what SQS refuses', () => {
  const detail = encodePublication({
    target: { topic },
    data: 'a\uFFFEb\uFFFFc',
    messageId: 'm',
    publishedAt: 'p',
    publisher: {},
  });
  expect(detail).not.toMatch(/[\uFFFE\uFFFF]/);
  expect(JSON.parse(detail).data).toBe('a\uFFFEb\uFFFFc');
});

it('gives a message that is published again with its key the same id', () => {
  const id = messageIdOf({ topic }, 'order-1', 'x');
  expect(messageIdOf({ topic }, 'order-1', 'y')).toBe(id);
  expect(messageIdOf({ topic }, 'order-2', 'x')).not.toBe(id);
  expect(messageIdOf({ topic: parseTopic('chat/other') }, 'order-1', 'x')).not.toBe(id);
  expect(messageIdOf({ topic }, undefined, 'x')).toBe('x');
  expect(parsePublication({ topic: 'chat/lobby', data: 1, key: 'order-1' }, envelope).messageId).toBe(id);
});

it('names the topic in the frame only if there is one', () => {
  const message = { data: 1, messageId: 'm', publishedAt: 'p', publisher: {} };
  expect(toMessageFrame({ ...message, target: { topic } })).toEqual({ type: 'message', topic, ...message });
  expect(toMessageFrame({ ...message, target: { userId: 'alice' } })).toEqual({
    type: 'message',
    ...message,
  });
});
