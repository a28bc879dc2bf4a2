import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A synthesised stack, as files name it: its name, its template and the list of its assets. */
export interface Assembly {
  readonly stackName: string;
  /** Where asset paths start. */
  readonly directory: string;
  readonly template: unknown;
  readonly assets: unknown;
}

interface Artifact {
  readonly type: string;
  readonly properties: { readonly templateFile: string; readonly stackName?: string };
}

/** Runs a CDK app as `cdk synth` does, which needs neither the CLI nor an AWS account, and reads its one stack. */
export async function synthesise(app: string, directory: string): Promise<Assembly> {
  await run(app, {
    ...process.env,
    CDK_OUTDIR: directory,
    // With it every resource says where in the construct tree it comes from, which makes for better names.
    CDK_CONTEXT_JSON: JSON.stringify({ 'aws:cdk:enable-path-metadata': true }),
  });
  surroundAsLambda(directory);
  return readAssembly(directory);
}

/** Gives the code in the assets what it finds around it on Lambda, and nothing else. */
function surroundAsLambda(directory: string): void {
  // No package.json is above a function's code there. One with "type": "module" might be here, and a CommonJS
  // index.js, which is what NodejsFunction makes, would be taken for an ES module.
  writeFileSync(join(directory, 'package.json'), '{}');
  // The Node.js runtimes come with the AWS SDK, so code that is not bundled may rely on it.
  const sdk = dirname(dirname(fileURLToPath(import.meta.resolve('@aws-sdk/client-sqs/package.json'))));
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(sdk, join(directory, 'node_modules/@aws-sdk'), 'junction');
}

function run(app: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, [app], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`The CDK app ${app} did not synthesise (exit code ${code}):\n${output}`));
    });
  });
}

function readAssembly(directory: string): Assembly {
  const read = (file: string) => JSON.parse(readFileSync(join(directory, file), 'utf8'));
  const artifacts = Object.entries(read('manifest.json').artifacts as Record<string, Artifact>);
  const stacks = artifacts.filter(([, { type }]) => type === 'aws:cloudformation:stack');
  const [stack, ...others] = stacks;
  if (!stack || others.length > 0) {
    throw new Error(`expected an app with one stack, got ${stacks.map(([id]) => id).join(', ') || 'none'}`);
  }
  const [id, { properties }] = stack;
  return {
    stackName: properties.stackName ?? id,
    directory,
    template: read(properties.templateFile),
    assets: read(`${id}.assets.json`),
  };
}
