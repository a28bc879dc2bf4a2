import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleClient } from '../../infra/web/bundle.ts';
import { startSystem } from '../support/system.ts';

/** `npm run test:platforms`: the client SDK as one file, on the Nodes that it is for. npx fetches those it does not have. */
const NODES = [20, 22, 24];
const SCENARIO = join(import.meta.dirname, 'scenario.mjs');

/** Whether the scenario has passed on that Node. */
async function runOn(node: number, directory: string, args: readonly string[]): Promise<boolean> {
  const command = ['--yes', '--package', `node@${node}`, 'node', SCENARIO, ...args];
  // Not in the repository, where npx would take the Node that everything else runs on.
  const child = spawn('npx', command, { cwd: directory, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) console.error(`Node ${node}: the scenario has failed`);
  return code === 0;
}

const directory = mkdtempSync(join(tmpdir(), 'fanwire-platforms-'));
const bundle = join(directory, 'fanwire.mjs');
writeFileSync(bundle, await bundleClient());
const system = await startSystem({ afresh: true });
try {
  for (const node of NODES) {
    if (!(await runOn(node, directory, [bundle, system.ready.websocketUrl]))) process.exitCode = 1;
  }
} finally {
  await system.stop();
  rmSync(directory, { recursive: true });
}
