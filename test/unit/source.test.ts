import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementTexts, isTextDeeperThan, isTextWiderThan, memberText } from '../../shared/protocol/source.ts';
import { DELICATE_TEXTS, jsonText, objectText, spaceText } from '../support/json-texts.ts';

describe('the text of a member', () => {
  it('is found as JSON.parse finds its value, in any object', () => {
    fc.assert(
      fc.property(objectText, ({ json, members }) => {
        const parsed = JSON.parse(json);
        const names = members.map(({ key }) => JSON.parse(key) as string);
        for (const name of names) {
          const text = memberText(json, name);
          expect(text).toBe(members.findLast(({ key }) => JSON.parse(key) === name)?.text);
          expect(JSON.parse(text ?? '')).toEqual(Object.getOwnPropertyDescriptor(parsed, name)?.value);
        }
        if (!names.includes('nobody')) expect(memberText(json, 'nobody')).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(DELICATE_TEXTS)('is as it is written: %s', (text) => {
    expect(memberText(`{"data":${text}}`, 'data')).toBe(text);
    expect(memberText(`{"x":${text},"data" :\n${text}\t,"y":${text}}`, 'data')).toBe(text);
  });

  it.each([
    ['{"data":1,"data":2.0}', '2.0'],
    ['{"data":1,"d\\u0061ta":2.0}', '2.0'],
    ['{"a":{"data":1}}', undefined],
    ['{"a":"\\"data\\":1","data\\\\":2}', undefined],
    ['{}', undefined],
    ['[{"data":1}]', undefined],
    ['"data"', undefined],
    ['7', undefined],
    ['', undefined],
  ])('in %s is %s', (json, text) => {
    expect(memberText(json, 'data')).toBe(text);
  });
});

describe('the texts of elements', () => {
  it('are found as JSON.parse finds their values, in any array', () => {
    const items = fc.array(fc.tuple(spaceText, jsonText, spaceText), { maxLength: 6 });
    fc.assert(
      fc.property(items, spaceText, (elements, space) => {
        const json = `${space}[${elements.map((parts) => parts.join('')).join(',')}${elements.length ? '' : space}]`;
        expect(elementTexts(json)).toEqual(elements.map(([, text]) => text));
        expect(elementTexts(json).map((text) => JSON.parse(text))).toEqual(JSON.parse(json));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(['{}', '{"a":[1]}', '"[1]"', '7', ''])('are none where there is no array: %s', (json) => {
    expect(elementTexts(json)).toEqual([]);
  });
});

describe('the nesting of a text', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  /** JSON.parse keeps one of the members with the same name. */
  const hasOneOfEach = (json: string): boolean => JSON.stringify(JSON.parse(json)).length >= json.length;

  it('is that of its value', () => {
    const levels = fc.nat(6);
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
        levels,
        (json, levels) => {
          fc.pre(hasOneOfEach(json));
          expect(isTextDeeperThan(levels, json)).toBe(depthOf(JSON.parse(json)) > levels);
        },
      ),
    );
  });

  it('counts members that others replace, because they are handed on all the same', () => {
    expect(isTextDeeperThan(2, '{"a":[[1]],"a":1}')).toBe(true);
    expect(isTextDeeperThan(3, '{"a":[[1]],"a":1}')).toBe(false);
  });

  it('counts no brackets in strings', () => {
    expect(isTextDeeperThan(1, '["[[[","\\"[[[","\\\\",{}]')).toBe(true);
    expect(isTextDeeperThan(2, '["[[[","\\"[[[","\\\\",{}]')).toBe(false);
  });

  it.each([10_000, 1_000_000])('is told of %i levels', (levels) => {
    expect(isTextDeeperThan(500, '['.repeat(levels) + ']'.repeat(levels))).toBe(true);
    expect(memberText(`{"data":${'['.repeat(levels)}${']'.repeat(levels)}}`, 'data')).toHaveLength(
      2 * levels,
    );
  });
});

it('reads texts that are broken off to their end, and no further', () => {
  for (const json of ['{"data":"x', '{"data":[1', '{"data"', '{"data":', '{"data":1', '[1,', '["']) {
    memberText(json, 'data');
    elementTexts(json);
    isTextDeeperThan(0, json);
  }
});

it.each([0, 1, 2, 3, 4])('a long text with %d escaped backslashes at its end ends there', (count) => {
  for (const length of [1, 29, 30, 31, 32, 33, 60]) {
    const value = `"${'a'.repeat(length)}${'\\\\'.repeat(count)}"`;
    const quoted = `"${'a'.repeat(length)}${'\\\\'.repeat(count)}\\"b"`;
    expect(memberText(`{"data":${value},"x":1}`, 'data')).toBe(value);
    expect(memberText(`{"data":${quoted},"x":1}`, 'data')).toBe(quoted);
  }
});

it('the width of a text is the number of its commas and of what opens, outside of strings', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat(20), (value, values) => {
      const json = JSON.stringify(value);
      const count = json.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/[,[{]/g)?.length ?? 0;
      expect(isTextWiderThan(values, json)).toBe(count > values);
    }),
  );
});
