import { expect, it } from 'vitest';
import { type Versions, withVersion } from '../../../infra/local/secretsmanager/versions.ts';

const put = (versions: Versions, id: string, ...stages: string[]): Versions =>
  withVersion(versions, { id, createdAtMs: 0, value: { SecretString: id }, stages });
const labels = (versions: Versions) => Object.fromEntries(versions.map(({ id, stages }) => [id, stages]));

it('moves the labels as a rotation does', () => {
  let versions = put([], 'a', 'AWSCURRENT');
  versions = put(versions, 'b', 'AWSCURRENT');
  expect(labels(versions)).toEqual({ a: ['AWSPREVIOUS'], b: ['AWSCURRENT'] });
  versions = put(versions, 'c', 'AWSPENDING');
  expect(labels(versions)).toEqual({ a: ['AWSPREVIOUS'], b: ['AWSCURRENT'], c: ['AWSPENDING'] });
  versions = put(versions, 'd', 'AWSCURRENT', 'AWSPENDING', 'mine');
  expect(labels(versions)).toEqual({
    a: [],
    b: ['AWSPREVIOUS'],
    c: [],
    d: ['AWSCURRENT', 'AWSPENDING', 'mine'],
  });
  versions = put(versions, 'e', 'mine');
  expect(labels(versions)).toMatchObject({ d: ['AWSCURRENT', 'AWSPENDING'], e: ['mine'] });
});

it('has each label at one version, also where the new one takes them all', () => {
  let versions = put(put([], 'a', 'AWSCURRENT'), 'b', 'AWSCURRENT');
  versions = put(versions, 'c', 'AWSCURRENT', 'AWSPREVIOUS');
  expect(labels(versions)).toEqual({ a: [], b: [], c: ['AWSCURRENT', 'AWSPREVIOUS'] });
  versions = put(versions, 'd', 'AWSCURRENT');
  expect(labels(versions)).toEqual({ a: [], b: [], c: ['AWSPREVIOUS'], d: ['AWSCURRENT'] });
});

it('makes the first version the current one, whatever its labels', () => {
  expect(labels(put([], 'a', 'mine'))).toEqual({ a: ['mine', 'AWSCURRENT'] });
  expect(labels(put([], 'a', 'AWSCURRENT'))).toEqual({ a: ['AWSCURRENT'] });
});

it('keeps a hundred, and those that have labels', () => {
  let versions = put(put([], 'pinned', 'AWSCURRENT', 'pin'), 'second', 'AWSCURRENT');
  for (let n = 0; n < 200; n++) versions = put(versions, `v${n}`, 'AWSCURRENT');
  expect(versions).toHaveLength(100);
  expect(labels(versions)).toMatchObject({ pinned: ['pin'], v198: ['AWSPREVIOUS'], v199: ['AWSCURRENT'] });
  expect(versions[1]?.id).toBe('v101');
});
