import { readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { type BuildOptions, buildSync } from 'esbuild';

const SERVICES = join(import.meta.dirname, '../services');

/**
 * Bundles every Lambda: `<directory>/<service>/index.mjs`, and beside it what it loads late, if at all. The SDK goes in
 * too, because a bundled one starts faster than the one of the Lambda runtime.
 */
export function bundleServices(directory: string): void {
  for (const service of readdirSync(SERVICES)) {
    buildSync({
      ...OPTIONS,
      entryPoints: { index: join(SERVICES, service, 'lambda.ts') },
      outdir: join(directory, service),
    });
  }
}

/**
 * Stands for an `import` of one of Node's own modules, which reads every export, getters too: `node:http` then loads
 * the whole of undici for the sake of `WebSocket`. That would be a third of a cold start.
 */
const builtin = (name: string): string =>
  `data:text/javascript,${encodeURIComponent(`module.exports = process.getBuiltinModule('node:${name}')`)}`;

const BUILTINS = builtinModules
  .filter((name) => !name.includes(':'))
  .flatMap((name) => [
    [name, builtin(name)],
    [`node:${name}`, builtin(name)],
  ]);

const OPTIONS: BuildOptions = {
  alias: Object.fromEntries(BUILTINS),
  // The SDK asks it for the name of the browser.
  external: ['bowser'],
  splitting: true,
  chunkNames: 'chunk-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  minify: true,
  // Stack traces in the logs name functions as they are in the source.
  keepNames: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  logLevel: 'warning',
};
