import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pack, { inflate } from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const MODULE = createRequire(import.meta.url).resolve('@sparticuz/chromium');

/** The package holds one binary. */
export const CHROMIUM_RUNS_HERE = process.platform === 'linux' && process.arch === 'x64';

export interface Chromium {
  readonly browser: Browser;
  close(): Promise<void>;
}

/**
 * Starts the Chromium of `@sparticuz/chromium`, with the libraries (NSS, NSPR, Expat) and fonts that come in the same
 * package, so that nothing but npm has to be installed. Its default arguments are for a Lambda: they leave no security
 * between pages and put everything into one process, so they are not used.
 */
export async function launchChromium(): Promise<Chromium> {
  const directory = await mkdtemp(join(tmpdir(), 'fanwire-chromium-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const executablePath = await extract(directory);
    const fontConfig = await writeFontConfig(directory);
    const browser = await chromium.launch({
      executablePath,
      // Chromium's sandbox wants privileges that a container does not have; the only pages here are our own, under
      // whatever name.
      args: ['--no-sandbox', '--host-resolver-rules=MAP *.example 127.0.0.1'],
      env: {
        ...process.env,
        LD_LIBRARY_PATH: join(directory, 'al2023/lib'),
        FONTCONFIG_FILE: fontConfig,
      },
    });
    return { browser, close: () => browser.close().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * The package unpacks into the temporary directory and takes what it finds there as complete, even if another process
 * is still writing it or was killed while it did. So every run has a temporary directory of its own.
 */
async function extract(directory: string): Promise<string> {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = directory;
  try {
    const libraries = join(dirname(MODULE), '../bin/al2023.tar.br');
    const [executable] = await Promise.all([pack.executablePath(), inflate(libraries)]);
    return executable;
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}

/** The package's own configuration looks for its fonts in /tmp/fonts, and Chromium aborts where there is no font at all. */
async function writeFontConfig(directory: string): Promise<string> {
  const file = join(directory, 'fonts.conf');
  const [fonts, cache] = [join(directory, 'fonts'), join(directory, 'fonts-cache')];
  await writeFile(file, `<fontconfig><dir>${fonts}</dir><cachedir>${cache}</cachedir></fontconfig>\n`);
  return file;
}
