import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeCodeDirectory } from '../../infra/local/state/temporary.ts';

it('removes what processes that have ended left behind, and nothing else', () => {
  const parent = mkdtempSync(join(tmpdir(), 'fanwire-test-'));
  const others = ['fanwire-code-1001-abc', 'fanwire-code-1002-abc', 'fanwire-1001-abc', 'fanwire-code-x'];
  for (const name of others) mkdirSync(join(parent, name, 'asset'), { recursive: true });
  const directory = makeCodeDirectory(parent, (pid) => pid !== 1001);
  expect(existsSync(directory)).toBe(true);
  expect(directory).toContain(`fanwire-code-${process.pid}-`);
  expect(readdirSync(parent).filter((name) => others.includes(name))).toEqual([
    'fanwire-1001-abc',
    'fanwire-code-1002-abc',
    'fanwire-code-x',
  ]);
  makeCodeDirectory(parent); // with this process running
  expect(existsSync(directory)).toBe(true);
  rmSync(parent, { recursive: true });
});
