import { expect, it } from 'vitest';
import { loadConfig, positiveInteger, text } from '../../shared/lambda/config.ts';

const settings = { table: text('TOPICS_TABLE'), max: positiveInteger('SUBSCRIPTIONS_MAX') };

it('reads every setting in its type', () => {
  const env = { TOPICS_TABLE: 'topics', SUBSCRIPTIONS_MAX: '7', OTHER: 'ignored' };
  expect(loadConfig(env, settings)).toEqual({ table: 'topics', max: 7 });
});

it('names everything that is missing or wrong in one error', () => {
  expect(() => loadConfig({ SUBSCRIPTIONS_MAX: '-1' }, settings)).toThrow(
    'Bad configuration: TOPICS_TABLE is missing; SUBSCRIPTIONS_MAX: expected a positive integer, got -1',
  );
});
