import { expect, it } from 'vitest';
import { parseInput } from '../../../infra/local/http/engine.ts';

const faultOf = (body: Buffer): string => {
  try {
    parseInput(body);
  } catch (error) {
    return String(error);
  }
  return 'none';
};

it('reads a body once, however often it is asked for, and a bad one too', () => {
  const [good, bad] = [Buffer.from('{"a":1}'), Buffer.from('{')];
  expect(parseInput(good)).toEqual({ a: 1 });
  expect(parseInput(good)).toBe(parseInput(good));
  const [first, second] = [bad, bad].map((body) => {
    try {
      return parseInput(body);
    } catch (error) {
      return error;
    }
  });
  expect(first).toBeInstanceOf(Error);
  expect(second).toBe(first);
});

it.each([
  ['', 'expected a JSON object as body'],
  ['[]', 'expected a JSON object as body'],
  ['{"a":', 'expected a JSON object as body'],
  [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 'expected JSON of at most 100 levels as body'],
  [`{"a":[${'1,'.repeat(250_000)}1]}`, 'expected JSON of at most 250000 values as body'],
  [`{"a":[${'{},'.repeat(130_000)}1]}`, 'expected JSON of at most 250000 values as body'],
  [Buffer.from('{"a":"\xe9"}', 'latin1'), 'expected UTF-8 as body'],
])('refuses %#', (body, fault) => {
  expect(faultOf(Buffer.from(body as string))).toContain(fault);
});

it('takes as many values as requests have, and any text', () => {
  expect(faultOf(Buffer.from(`{"a":[${'1,'.repeat(249_997)}1]}`))).toBe('none');
  expect(faultOf(Buffer.from(`{"a":"${',[{'.repeat(500_000)}"}`))).toBe('none');
});
