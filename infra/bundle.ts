import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const SERVICES = join(import.meta.dirname, '../services');

/**
 * Bundles every Lambda in one run of esbuild: `<directory>/<service>/index.mjs`. The SDK goes in too, because a
 * bundled one starts faster than the one of the Lambda runtime.
 */
export function bundleServices(directory: string): void {
  const services = readdirSync(SERVICES);
  buildSync({
    entryPoints: services.map((service) => ({
      in: join(SERVICES, service, 'lambda.ts'),
      out: join(service, 'index'),
    })),
    outdir: directory,
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
