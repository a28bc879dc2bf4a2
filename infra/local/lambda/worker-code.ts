import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * What every execution environment runs, `bootstrap.ts`, as one script of JavaScript. Else each thread would strip the
 * types itself, for which it first has to load a WebAssembly module of 8 MB. Compiled while this module loads, because
 * no invocation should wait for it, and not by `buildSync`, which would leave a thread of esbuild's behind.
 */
export const workerCode: string = await compile();

async function compile(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'bootstrap.ts')],
    bundle: true,
    format: 'cjs', // what a thread takes as text
    platform: 'node',
    target: 'node24',
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
