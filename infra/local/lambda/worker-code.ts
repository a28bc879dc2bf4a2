import { join } from 'node:path';
import { buildSync } from 'esbuild';

let compiled: string | undefined;

/**
 * What every execution environment runs, `bootstrap.ts`, as one script of JavaScript. Else each thread would strip the
 * types itself, for which it first has to load a WebAssembly module of 8 MB.
 */
export function workerCode(): string {
  compiled ??= compile();
  return compiled;
}

function compile(): string {
  const { outputFiles } = buildSync({
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
