import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePattern, parseTopic, patternsCovering } from '../../shared/protocol/topic.ts';

describe('parseTopic', () => {
  it.each(['chat', 'chat/lobby', 'a/b/c/d/e', 'A-Z_0.9~:@/-', 'x'.repeat(128)])('takes %s', (topic) => {
    expect(parseTopic(topic)).toBe(topic);
  });

  it.each([
    [undefined, /expected topic to be a string, got nothing/],
    [7, /expected topic to be a string, got 7/],
    ['', /segment/],
    ['chat/', /segment/],
    ['/chat', /segment/],
    ['chat//x', /segment/],
    ['chat/*', /segment/],
    ['chat/lob by', /segment/],
    ['chat/ü', /segment/],
    ['chat#0', /segment/],
    ['a/b/c/d/e/f', /1 to 5 segments/],
    ['x'.repeat(129), /at most 128 characters, got 129/],
  ])('refuses %j', (topic, message) => {
    expect(() => parseTopic(topic)).toThrow(message);
  });
});

describe('parsePattern', () => {
  it.each(['chat/lobby', 'chat/*', 'a/b/c/d/e/*'])('takes %s', (pattern) => {
    expect(parsePattern(pattern)).toBe(pattern);
  });

  it.each(['*', '/*', 'chat/*/x', '*/chat', 'chat*', 'chat/**', 'chat/lo*/*'])('refuses %s', (pattern) => {
    expect(() => parsePattern(pattern)).toThrow(/expected/);
  });

  it("says that '*' stands last", () => {
    expect(() => parsePattern('chat/*/x')).toThrow("expected '*' only as the last segment of a topic");
  });
});

describe('patternsCovering', () => {
  it('has one more pattern than the topic has segments', () => {
    expect(patternsCovering(parseTopic('a/b/c'))).toEqual(['a/b/c', 'a/*', 'a/b/*', 'a/b/c/*']);
  });

  it('is exactly the patterns whose subtree the topic is in', () => {
    const segment = fc.constantFrom('a', 'b', 'c');
    const path = fc.array(segment, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(path, path, (published, subscribed) => {
        const patterns: string[] = patternsCovering(parseTopic(published.join('/')));
        const inSubtree = subscribed.every((name, index) => published[index] === name);
        expect(patterns.includes(`${subscribed.join('/')}/*`)).toBe(inSubtree);
      }),
    );
  });
});
