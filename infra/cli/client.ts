import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleClient } from '../web/bundle.ts';

/** `npm run build:client`: writes the client SDK as one file, to be served or copied. */
const directory = join(import.meta.dirname, '../../dist');
mkdirSync(directory, { recursive: true });
const bundled = await bundleClient();
writeFileSync(join(directory, 'fanwire.js'), bundled);
console.log(`dist/fanwire.js: ${bundled.length} bytes`);
