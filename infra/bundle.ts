import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';

const SERVICES = join(import.meta.dirname, '../services');

/**
 * Bundles every Lambda: `<directory>/<service>/index.mjs`, and beside it the chunks that it imports, some of them only
 * when they are needed. The SDK is bundled too, because that starts faster than the one of the Lambda runtime. All
 * Lambdas are built at once, in a third of the time, and each gets the chunks that it can reach.
 */
export function bundleServices(directory: string): void {
  const services = readdirSync(SERVICES);
  const entries = services.map((service) => [service, join(SERVICES, service, 'lambda.ts')]);
  const { outputFiles, metafile } = buildSync({
    ...OPTIONS,
    entryPoints: Object.fromEntries(entries),
    outdir: directory,
    write: false,
    metafile: true,
  });
  const contents = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  const imports = importsOf(metafile);
  for (const service of services) {
    const target = join(directory, service);
    rmSync(target, { recursive: true, force: true }); // chunks of an earlier build have other names, and would stay
    mkdirSync(target, { recursive: true });
    const entry = `${service}.mjs`;
    for (const file of reachable(entry, imports)) {
      const bytes = contents.get(file) as Uint8Array; // what is imported was put out
      writeFileSync(join(target, file === entry ? 'index.mjs' : file), bytes);
    }
  }
}

/** The files that each file of the bundle imports, statically or dynamically. */
const importsOf = ({ outputs }: Metafile): ReadonlyMap<string, readonly string[]> =>
  new Map(
    Object.entries(outputs).map(([file, { imports }]) => [
      basename(file),
      imports.filter(({ external }) => !external).map(({ path }) => basename(path)),
    ]),
  );

function reachable(
  file: string,
  imports: ReadonlyMap<string, readonly string[]>,
  found = new Set<string>(),
): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of imports.get(file) ?? []) reachable(imported, imports, found);
  return found;
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

/** Left out: never called in a Lambda, and a third of the bundle's size. */
const UNUSED = [
  // What the SDK has for browsers, and for services that answer with a stream of events: not these services.
  'bowser',
  '@smithy/core/event-streams',
  // Other sources of credentials: a Lambda has them in its environment.
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

const OPTIONS: BuildOptions = {
  alias: Object.fromEntries(BUILTINS),
  external: UNUSED,
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
