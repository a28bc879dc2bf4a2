import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bundleServices } from '../../infra/bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'fanwire-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
bundleServices(directory);

const WORKERS = ['fanout', 'deliver'];
const services = readdirSync(directory);
const filesOf = (service: string): string[] =>
  readdirSync(join(directory, service)).map((file) => join(directory, service, file));

describe.each(services)('the bundle of %s', (service) => {
  test('imports nothing but its own parts', () => {
    const imports = filesOf(service).flatMap((file) => [
      ...readFileSync(file, 'utf8').matchAll(/(?:^|;)import(?:[^;'"()]*?from)?["']([^"']+)["']/g),
    ]);
    const names = new Set(imports.map(([, name = '']) => name));
    const parts = filesOf(service).map((file) => `./${file.split('/').at(-1)}`);

    expect([...names].filter((name) => !parts.includes(name))).toEqual([]);
    expect(parts).toContain('./index.mjs');
  });
});

test.each(services.filter((service) => !WORKERS.includes(service)))(
  'the bundle of %s is at most 400 KB',
  (service) => {
    expect(filesOf(service).reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThanOrEqual(400_000);
  },
);
