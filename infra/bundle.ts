import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const SERVICES = join(import.meta.dirname, '../services');

/** Services that load a part of their code late. It becomes files of its own next to the entry. */
const SPLIT = new Set(['fanout', 'deliver']);

/**
 * Bundles every Lambda: `<directory>/<service>/index.mjs`. The SDK goes in too, because a bundled one starts faster
 * than the one of the Lambda runtime.
 */
export function bundleServices(directory: string): void {
  const services = readdirSync(SERVICES);
  bundle(
    directory,
    services.filter((service) => !SPLIT.has(service)),
  );
  for (const service of SPLIT) bundle(join(directory, service), [service]);
}

/** One service goes into the directory itself, several into one each. */
function bundle(directory: string, services: readonly string[]): void {
  buildSync({
    entryPoints: services.map((service) => ({
      in: join(SERVICES, service, 'lambda.ts'),
      out: services.length === 1 ? 'index' : join(service, 'index'),
    })),
    outdir: directory,
    splitting: services.length === 1,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    // Stack traces in the logs name functions as they are in the source.
    keepNames: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    // The SDK's CommonJS parts call `require`, which an ES module has to make for itself.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
