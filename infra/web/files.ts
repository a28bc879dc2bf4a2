import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface PageFile {
  readonly contentType: string;
  readonly body: string;
}

const DIRECTORY = import.meta.dirname;

/** The demo page, by path. It has no inline script or style and loads nothing from elsewhere: `default-src 'self'` fits it. */
export async function loadPage(): Promise<ReadonlyMap<string, PageFile>> {
  const [html, css, icon, script] = await Promise.all([
    readFile(join(DIRECTORY, 'index.html'), 'utf8'),
    readFile(join(DIRECTORY, 'page.css'), 'utf8'),
    readFile(join(DIRECTORY, 'icon.svg'), 'utf8'),
    bundleScript(),
  ]);
  return new Map([
    ['/', { contentType: 'text/html; charset=utf-8', body: html }],
    ['/page.css', { contentType: 'text/css; charset=utf-8', body: css }],
    ['/icon.svg', { contentType: 'image/svg+xml', body: icon }],
    ['/page.js', { contentType: 'text/javascript; charset=utf-8', body: script }],
  ]);
}

async function bundleScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(DIRECTORY, 'page.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  });
  return outputFiles.map(({ text }) => text).join('');
}
