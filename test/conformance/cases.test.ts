import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const CASES = 57;

const read = (file: string): string => readFileSync(join(import.meta.dirname, file), 'utf8');

interface Case {
  readonly id: string;
  readonly file: string;
  readonly isInferred: boolean;
}

/** The tests whose names begin with an id. */
function casesIn(file: string): Case[] {
  const names = read(file).matchAll(/\bit\(\s*'([A-Z]{2}-[A-Z0-9-]+) ([^']*)'/g);
  return [...names].map(([, id = '', rest = '']) => ({
    id,
    file: file.replace('.test.ts', ''),
    isInferred: rest.endsWith('[inference]'),
  }));
}

/** The rows of the table. */
function casesOfReadme(): Case[] {
  const rows = read('README.md').matchAll(
    /^\| (\d+) \| ([A-Z0-9-]+)(?: ★)? \| [^|]* \| ([^|]*) \| (\w+) \| (?:any|here|patient) \|$/gm,
  );
  return [...rows].map(([, number, id = '', evidence = '', file = ''], index) => {
    expect(Number(number)).toBe(index + 1);
    return { id, file, isInferred: evidence.includes('[I]') };
  });
}

it('has a test for each of the 57 cases of the README, in the file that it names, and none twice', () => {
  const files = globSync('*.test.ts', { cwd: import.meta.dirname }).sort();
  const tested = files.flatMap(casesIn);
  const listed = casesOfReadme();
  expect(listed).toHaveLength(CASES);
  expect(new Set(listed.map(({ id }) => id)).size).toBe(CASES);
  const byId = (a: Case, b: Case) => a.id.localeCompare(b.id);
  expect(tested.toSorted(byId)).toEqual(listed.toSorted(byId));
});
