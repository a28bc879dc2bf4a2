import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ReadyFile } from '../../../infra/local/state/ready-file.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fanwire-ready-'));
  file = join(directory, 'ready.json');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('is there from when it is written until it is removed, and not before, whatever an earlier run has left', () => {
  writeFileSync(file, 'earlier');
  const ready = new ReadyFile(file);
  expect(existsSync(file)).toBe(false);
  ready.write('now');
  expect(readFileSync(file, 'utf8')).toBe('now');
  ready.remove();
  ready.remove();
  expect(readdirSync(directory)).toEqual([]);
});

it("leaves another system's alone", () => {
  const first = new ReadyFile(file);
  first.write('first');
  new ReadyFile(file).write('second');
  first.remove();
  expect(readFileSync(file, 'utf8')).toBe('second');
  const third = new ReadyFile(file);
  writeFileSync(file, 'second');
  third.remove(); // it has failed to start
  expect(readFileSync(file, 'utf8')).toBe('second');
});

it('is no reason to fail when its folder is gone', () => {
  const ready = new ReadyFile(file);
  ready.write('now');
  rmSync(directory, { recursive: true });
  ready.remove();
});

it('may be in a folder that is made while the system starts', () => {
  const inFolder = join(directory, 'state/ready.json');
  const ready = new ReadyFile(inFolder);
  mkdirSync(join(directory, 'state'));
  ready.write('now');
  expect(readFileSync(inFolder, 'utf8')).toBe('now');
});

it('says where it cannot be written', () => {
  const words = 'expected --ready-file to be a file that can be written, got ';
  expect(() => new ReadyFile(directory)).toThrow(words + directory);
  const inNone = new ReadyFile(join(directory, 'none/ready.json'));
  expect(() => inNone.write('now')).toThrow(`${words}${join(directory, 'none/ready.json')} (ENOENT`);
});
