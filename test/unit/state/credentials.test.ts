import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepAccessKey } from '../../../infra/local/credentials.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'fanwire-credentials-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

it('keeps the key that it has made, also in a directory that it has made for it', () => {
  const directory = join(dataDir, 'a/b');
  const made = keepAccessKey(directory);
  expect(made.accessKeyId).toMatch(/^AKIA[0-9A-F]{16}$/);
  expect(keepAccessKey(directory)).toEqual(made);
});

it('takes a key that somebody has written', () => {
  const key = { accessKeyId: 'test', secretAccessKey: 'te/st+=' };
  writeFileSync(join(dataDir, 'credentials.json'), JSON.stringify(key));
  expect(keepAccessKey(dataDir)).toEqual(key);
});

it.each([
  '',
  'null',
  '[]',
  '{"accessKeyId":"AKIA","secretAccessKey":',
  '{"accessKeyId":"","secretAccessKey":""}',
  '{"accessKeyId":"AKIA","secretAccessKey":""}',
  '{"accessKeyId":"AKIA/1","secretAccessKey":"secret"}',
  '{"accessKeyId":"AKIA","secretAccessKey":"two words"}',
  '{"accessKeyId":1,"secretAccessKey":"secret"}',
  '{"accessKeyId":"AKIA","secretAccessKey":["secret"]}',
])('says that %j is no key, without showing it', (text) => {
  const file = join(dataDir, 'credentials.json');
  writeFileSync(file, text);
  expect(() => keepAccessKey(dataDir)).toThrow(
    `expected an access key in ${file}, got something else: remove that file to get a new one`,
  );
});

it('says that a directory is no file', () => {
  const file = join(dataDir, 'credentials.json');
  mkdirSync(file);
  expect(() => keepAccessKey(dataDir)).toThrow(`expected ${file} to be a file, got a directory: remove it`);
});

it('says that a directory cannot be made where a file is', () => {
  writeFileSync(join(dataDir, 'file'), '');
  for (const name of ['file', 'file/state', 'file/state/of/mine']) {
    expect(() => keepAccessKey(join(dataDir, name))).toThrow('expected a directory that can be written');
  }
});

// `mkdirSync` with `recursive` does not return there.
it.runIf(process.platform === 'linux').each(['/proc/fanwire', '/proc/fanwire/state'])(
  'says that a directory cannot be made as %s',
  (directory) => {
    expect(() => keepAccessKey(directory)).toThrow(
      `expected a directory that can be written, got ${directory}`,
    );
  },
);
