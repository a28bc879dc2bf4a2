import { expect, it } from 'vitest';
import { loadConfig, positiveInteger, text } from '../../shared/lambda/config.ts';

const settings = { table: text('TABLE'), max: positiveInteger('MAX') };

it('reads every setting in its type', () => {
  expect(loadConfig({ TABLE: 'connections', MAX: '7' }, settings)).toEqual({ table: 'connections', max: 7 });
});

it('names everything that is missing or wrong in one error', () => {
  expect(() => loadConfig({ MAX: '-1' }, settings)).toThrow(
    'Bad configuration: TABLE is missing; MAX: expected a positive integer, got -1',
  );
});
