import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const output = mkdtempSync(join(tmpdir(), 'fanwire-cdk-'));
afterAll(() => rmSync(output, { recursive: true, force: true }));

it('synthesises with the CDK CLI and no AWS account', async () => {
  // A home without credentials, and an environment without AWS.
  const env = { PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`, HOME: output };
  const args = ['synth', '--app', 'node infra/app.ts', '--output', output, '--quiet'];
  await promisify(execFile)('cdk', args, { cwd: root, env });
  expect(readdirSync(output)).toContain('Fanwire.template.json');
});
