import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleClient, bundlePage } from './bundle.ts';

interface PageFile {
  readonly contentType: string;
  readonly body: string;
}

const DIRECTORY = import.meta.dirname;

/** The demo page, by path. It has no inline script or style and loads nothing from elsewhere: `default-src 'self'` fits it. */
export async function loadPage(): Promise<ReadonlyMap<string, PageFile>> {
  const [html, css, icon, page, client] = await Promise.all([
    readFile(join(DIRECTORY, 'index.html'), 'utf8'),
    readFile(join(DIRECTORY, 'page.css'), 'utf8'),
    readFile(join(DIRECTORY, 'icon.svg'), 'utf8'),
    bundlePage(),
    bundleClient(),
  ]);
  return new Map([
    ['/', { contentType: 'text/html; charset=utf-8', body: html }],
    ['/page.css', { contentType: 'text/css; charset=utf-8', body: css }],
    ['/icon.svg', { contentType: 'image/svg+xml', body: icon }],
    ['/page.js', { contentType: 'text/javascript; charset=utf-8', body: page }],
    // For people's own pages, to try it with.
    ['/fanwire.js', { contentType: 'text/javascript; charset=utf-8', body: client }],
  ]);
}
