import { expect, it } from 'vitest';
import { annotationsIn } from '../../infra/local/stack/annotations.ts';

it('has what constructs say to whoever synthesises them, once each, and nothing else of the metadata', () => {
  const warning = { type: 'aws:cdk:warning', data: 'nobody may connect', trace: ['at …'] };
  const metadata = {
    '/Shop': [{ type: 'aws:cdk:templateFile', data: 'Shop.template.json' }, { type: 'toString' }],
    '/Shop/Push': [warning, { type: 'aws:cdk:info', data: 'an info' }, warning],
    '/Shop/Other': [warning, { type: 'aws:cdk:error', data: 'an error' }],
  };
  expect(annotationsIn(metadata)).toEqual([
    '[Warning at /Shop/Push] nobody may connect',
    '[Info at /Shop/Push] an info',
    '[Warning at /Shop/Other] nobody may connect',
    '[Error at /Shop/Other] an error',
  ]);
});

it('has nothing where there is no metadata', () => {
  expect(annotationsIn(undefined)).toEqual([]);
});
