import { expect, it } from 'vitest';
import { stateProblem } from '../../infra/local/state/problem.ts';

const failure = (message: string, members: object): Error => Object.assign(new Error(message), members);

it.each([
  ['is in use by another Fanwire', failure('lock', { code: 'LEVEL_LOCKED' })],
  ['is in use by another Fanwire', failure('database is locked', { code: 'ERR_SQLITE_ERROR', errcode: 5 })],
  ['expected a directory that can be written', failure('EACCES: denied', { code: 'EACCES' })],
  [
    'expected a directory that can be written',
    failure('readonly', { code: 'ERR_SQLITE_ERROR', errcode: 1544 }),
  ],
  ['cannot be read (checksum mismatch)', failure('checksum mismatch', { code: 'LEVEL_CORRUPTION' })],
  ['cannot be read (file is not a database)', failure('file is not a database', { errcode: 26 })],
  ['cannot be read (Unexpected end of JSON input)', new SyntaxError('Unexpected end of JSON input')],
])('says that state %s', (words, cause) => {
  const wrapped = new Error('Database failed to open', { cause });
  expect(stateProblem('the tables', '/data', wrapped).message).toContain(words);
  expect(stateProblem('the tables', '/data', cause).message).toMatch(/remove|choose/);
});
