import { cpSync } from 'node:fs';
import { basename } from 'node:path';

// Stands for an app that was synthesised before, for tests to which that does not matter: says the same, at once.
const { FANWIRE_TEST_ASSEMBLY: from = '', CDK_OUTDIR: to = '' } = process.env;
/** What the runtime puts beside an assembly. */
const SURROUNDINGS = ['node_modules', 'package.json'];
cpSync(from, to, { recursive: true, filter: (file) => !SURROUNDINGS.includes(basename(file)) });
