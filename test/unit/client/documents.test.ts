import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { settingsFrom } from '../../../shared/client/options.ts';

/** The options in CLIENT.md, each with its default as it is written there. */
function documented(): Map<string, string> {
  const page = readFileSync(join(import.meta.dirname, '../../../CLIENT.md'), 'utf8');
  const [, section = ''] = page.split('## Options of `connect`');
  const rows = section.split('##')[0]?.matchAll(/^\| (`.*?) \| (.*?) \|/gm) ?? [];
  return new Map(
    [...rows].flatMap(([, names = '', value = '']) =>
      names.split(', ').map((name) => [name.replaceAll('`', ''), value.replaceAll(',', '')] as const),
    ),
  );
}

it('the page of the client has every option and no other', () => {
  let said = '';
  try {
    settingsFrom({ url: 'wss://x', unknown: 1 } as never);
  } catch (error) {
    said = (error as Error).message;
  }
  const known = said.match(/none but (.*), got/)?.[1]?.split(', ');
  expect([...documented().keys()].toSorted()).toEqual(known?.toSorted());
});

it('the page of the client has the defaults', () => {
  const limits = Object.entries(settingsFrom({ url: 'wss://x' })).filter(
    ([, value]) => typeof value === 'number',
  );
  expect(limits.length).toBe(10);
  for (const [name, value] of limits) expect(documented().get(name)).toBe(String(value));
});
