import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ready } from '../../infra/local/ready.ts';
import { OPEN_APP } from '../support/apps.ts';
import { assemblyOf, synthesiseAll } from '../support/assemblies.ts';
import { startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'fanwire-ending-'));
beforeAll(() => synthesiseAll(OPEN_APP));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const serves = ({ endpoint }: Ready): Promise<boolean> =>
  fetch(`${endpoint}/_fanwire/health`).then(
    () => true,
    () => false,
  );

/** What the system that npm started has put into the temporary folder. */
const codeIn = (folder: string): string[] => globSync('fanwire-code-*', { cwd: folder });

// Windows has none of these.
it.runIf(process.platform !== 'win32').each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  'ends with npm, however that ends: %s',
  async (signal) => {
    const { directory: assembly } = await assemblyOf(OPEN_APP);
    const readyFile = join(directory, `${signal}.json`);
    const folder = mkdtempSync(join(directory, 'tmp-'));
    const options = ['--ephemeral', '--port', '0', '--ready-file', readyFile];
    const npm = spawn('npm', ['start', '--', ...options, '--app', 'test/apps/synthesised.ts'], {
      cwd: root,
      stdio: 'ignore',
      env: { ...process.env, FANWIRE_TEST_ASSEMBLY: assembly, TMPDIR: folder },
    });
    const exited = once(npm, 'exit');
    await until(() => globSync(readyFile).length > 0);
    const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as Ready;
    expect(await serves(ready)).toBe(true);
    npm.kill(signal);
    await exited;
    await expect.poll(() => serves(ready), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => globSync(readyFile), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => codeIn(folder), { timeout: 20_000 }).toEqual([]);
  },
);

it('ends in order when its terminal is closed', async () => {
  const dataDir = join(directory, 'data');
  const system = await startSystem({ dataDir });
  process.kill(system.pid, 'SIGHUP');
  await expect.poll(() => serves(system.ready), { timeout: 20_000 }).toBe(false);
  await expect.poll(() => readFileSync(join(dataDir, 'dynamodb.mark'), 'utf8')).toContain('closed');
  await system.stop();
});
