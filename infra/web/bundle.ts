import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const CLIENT = join(import.meta.dirname, '../../shared/client/index.ts');

/** For browsers of the last years, and Node. */
const OPTIONS = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  write: false,
  logLevel: 'warning',
} satisfies BuildOptions;

export const bundlePage = (): Promise<string> =>
  bundle({ ...OPTIONS, entryPoints: [join(import.meta.dirname, 'page.ts')] });

/** The client SDK as one file: for a script tag of type module, a bundler, or Node. */
export const bundleClient = (): Promise<string> =>
  bundle({ ...OPTIONS, entryPoints: [CLIENT], minify: true });

async function bundle(options: BuildOptions & { readonly write: false }): Promise<string> {
  const { outputFiles } = await build(options);
  return outputFiles.map(({ text }) => text).join('');
}
