import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Where the code of a folder may import from; the longest matching prefix decides. */
const MAY_IMPORT: Record<string, string[]> = {
  'shared/client/': [
    'shared/client/',
    'shared/protocol/frames.ts',
    'shared/protocol/topic.ts',
    'shared/protocol/errors.ts',
  ],
  'shared/': ['shared/'],
  'infra/': ['infra/', 'shared/'],
};

function allowedFor(file: string): string[] {
  if (file.startsWith('services/')) return [`${file.split('/').slice(0, 2).join('/')}/`, 'shared/'];
  const layer = Object.keys(MAY_IMPORT).find((prefix) => file.startsWith(prefix));
  return MAY_IMPORT[layer ?? ''] ?? [];
}

function importsOf(file: string, source: string): string[] {
  const specifiers = source.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...specifiers].map(([, specifier = '']) => join(dirname(file), specifier));
}

const violationsIn = (file: string, source: string): string[] =>
  importsOf(file, source)
    .filter((target) => !allowedFor(file).some((prefix) => target.startsWith(prefix)))
    .map((target) => `${file} -> ${target}`);

it('keeps every layer to what it may import', () => {
  const files = globSync('{services,shared,infra}/**/*.ts', { cwd: root });
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap((file) => violationsIn(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
});

it('finds a service that imports another', () => {
  const slip = "import { fanOut } from '../fanout/fan-out.ts';";
  expect(violationsIn('services/subscribe/lambda.ts', slip)).toEqual([
    'services/subscribe/lambda.ts -> services/fanout/fan-out.ts',
  ]);
});

it('reads process.env only in a Lambda entry and in the command line', () => {
  const edges = [/^services\/[^/]+\/lambda\.ts$/, /^infra\//];
  const readers = globSync('{services,shared,infra}/**/*.ts', { cwd: root })
    .map((file) => relative(root, join(root, file)))
    .filter((file) => readFileSync(join(root, file), 'utf8').includes('process.env'))
    .filter((file) => !edges.some((edge) => edge.test(file)));
  expect(readers).toEqual([]);
});
