import { expect, it } from 'vitest';
import { Names } from '../../infra/local/stack/names.ts';

const TYPE = 'AWS::Lambda::Function';
const shortNameOf = (path: string | undefined, logicalId = 'Logical1A') =>
  new Names([{ type: TYPE, physicalName: 'App-1', logicalId, path }]).shortName(TYPE, 'App-1');

it('a short name is the innermost id that says what a resource is for', () => {
  expect(shortNameOf('App/Push/IngestDeadLetters/Resource')).toBe('ingestDeadLetters');
  expect(shortNameOf('App/Push/Fanout/Function/Resource')).toBe('fanout');
  expect(shortNameOf('App/Jobs/Default')).toBe('jobs');
});

it('a resource without a path goes by its logical id, one of every account by its own name', () => {
  expect(shortNameOf(undefined)).toBe('logical1A');
  expect(new Names([{ type: TYPE, physicalName: 'default' }]).shortName(TYPE, 'default')).toBe('default');
});

it('two of a type with the same short name keep their physical ones', () => {
  const named = (type: string, physicalName: string, path: string) => ({ type, physicalName, path });
  const names = new Names([
    named(TYPE, 'App-1', 'App/A/Jobs/Function'),
    named(TYPE, 'App-2', 'App/B/Jobs/Function'),
    named('AWS::SQS::Queue', 'App-3', 'App/Jobs/Resource'),
  ]);
  expect(['App-1', 'App-2'].map((name) => names.shortName(TYPE, name))).toEqual(['App-1', 'App-2']);
  expect(names.shortName('AWS::SQS::Queue', 'App-3')).toBe('jobs');
});
