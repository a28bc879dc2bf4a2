import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeSegment } from '../../shared/protocol/segment.ts';
import { isTopicName } from '../../shared/protocol/topic.ts';

/** What the documentation tells back ends in other languages to do. */
const unescapeSegment = (segment: string): string => decodeURIComponent(segment.replaceAll('~', '%'));

const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
/** Texts that a wrong escaping would mix up. */
const trickyText = fc.string({ unit: fc.constantFrom('~', '2', 'F', 'f', '/', '*', '.', '%'), minLength: 1 });

describe('escapeSegment', () => {
  it.each([
    ['alice', 'alice'],
    ['A-Z_0.9:@-', 'A-Z_0.9:@-'],
    ['a/b', 'a~2Fb'],
    ['*', '~2A'],
    ['{sub}', '~7Bsub~7D'],
    ['~2F', '~7E2F'],
    ['auth0|5f7c8ec7', 'auth0~7C5f7c8ec7'],
    ['L0SM9cOFvHcCIhw=', 'L0SM9cOFvHcCIhw~3D'],
    ['é', '~C3~A9'],
    ['e\u0301', 'e~CC~81'],
    ['😀', '~F0~9F~98~80'],
    ['a\n\0', 'a~0A~00'],
    ['..', '..'],
  ])('%j is %s', (text, segment) => {
    expect(escapeSegment(text)).toBe(segment);
  });

  it.each(['', '\ud83d', 'a\udc00b'])('refuses %j, which is no segment of its own', (text) => {
    expect(() => escapeSegment(text)).toThrow('expected one or more characters of well-formed Unicode');
  });

  it('gives one segment, from which the text can be had again: so two texts never give the same', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, trickyText), (text) => {
        const segment = escapeSegment(text);
        expect(segment).not.toContain('/');
        expect(isTopicName(segment) || segment.length > 128).toBe(true);
        expect(unescapeSegment(segment)).toBe(text);
      }),
    );
  });
});
