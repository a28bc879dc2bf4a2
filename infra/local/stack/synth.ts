import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { annotationsIn } from './annotations.ts';

/** A synthesised stack, as files name it: its name, its template and the list of its assets. */
export interface Assembly {
  readonly stackName: string;
  /** Where asset paths start. */
  readonly directory: string;
  readonly template: unknown;
  readonly assets: unknown;
  /** Warnings and the like, in words. */
  readonly annotations: readonly string[];
}

interface Artifact {
  readonly type: string;
  readonly properties: { readonly templateFile: string; readonly stackName?: string };
  /** Here, or in a file of its own where the CDK writes one. */
  readonly metadata?: unknown;
  readonly additionalMetadataFile?: string;
}

/**
 * Runs a CDK app as `cdk synth` does, which needs neither the CLI nor an AWS account, and reads its one stack. Errors
 * are for the person who has started it.
 */
export async function synthesise(app: string, directory: string): Promise<Assembly> {
  await run(app, {
    ...process.env,
    CDK_OUTDIR: directory,
    // With it every resource says where in the construct tree it comes from, which makes for better names.
    CDK_CONTEXT_JSON: JSON.stringify({ 'aws:cdk:enable-path-metadata': true }),
  });
  surroundAsLambda(directory);
  return readAssembly(app, directory);
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
      else reject(new Error(`The CDK app ${app} did not synthesise${reasonIn(output, app, code)}`));
    });
  });
}

/** What needs no stack trace is said without one. */
function reasonIn(output: string, app: string, code: number | null): string {
  if (output.includes(`Cannot find module '${app}'`)) return ': there is no such file';
  const missing = /^Error \[ERR_MODULE_NOT_FOUND\]: (Cannot find package .+)$/m.exec(output)?.[1];
  if (missing !== undefined) return `: ${missing}\nInstall it with: npm ci`;
  return ` (exit code ${code}):\n${output}`;
}

function readAssembly(app: string, directory: string): Assembly {
  const read = (file: string) => JSON.parse(readFileSync(join(directory, file), 'utf8'));
  if (!existsSync(join(directory, 'manifest.json'))) {
    throw new Error(
      `expected ${app} to be a CDK app, got no assembly from it. ` +
        'Does it call `app.synth()`, and leave `outdir` alone or take it from CDK_OUTDIR?',
    );
  }
  const artifacts = Object.entries<Artifact>(read('manifest.json').artifacts ?? {});
  const stacks = artifacts.filter(([, { type }]) => type === 'aws:cloudformation:stack');
  const [stack, ...others] = stacks;
  if (!stack || others.length > 0) {
    const found = stacks.map(([id]) => id).join(', ') || 'none';
    throw new Error(`expected an app with one stack, got ${found}: ${app}`);
  }
  const [id, { properties, metadata, additionalMetadataFile: file }] = stack;
  return {
    stackName: properties.stackName ?? id,
    directory,
    template: read(properties.templateFile),
    assets: read(`${id}.assets.json`),
    annotations: annotationsIn({ ...(metadata as object), ...(file !== undefined && read(file)) }),
  };
}
