import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Package {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Installs a benchmark's own packages once, which nothing else needs. */
export async function install(directory: string): Promise<void> {
  if (isInstalled(directory)) return;
  console.log(`Installing the packages of ${directory}; this happens once …`);
  // npm tells its scripts where it is: as a file to run with Node.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, 'ci']] : ['npm', ['ci']];
  const child = spawn(command, args, { cwd: directory, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`expected npm ci in ${directory} to succeed, got exit code ${code}`);
}

function isInstalled(directory: string): boolean {
  const { dependencies = {} } = readPackage(directory);
  return Object.entries(dependencies).every(([name, wanted]) => {
    const installed = join(directory, 'node_modules', name);
    // An alias has the version of what it stands for: `npm:osls@4.3.1`.
    return existsSync(installed) && wanted.endsWith(String(readPackage(installed).version));
  });
}

const readPackage = (directory: string): Package =>
  JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
