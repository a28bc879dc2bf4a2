import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../shared/lambda/clock.ts';

const root = join(import.meta.dirname, '../..');
/** `default` needs nothing. */
const services = globSync('services/*/lambda.ts', { cwd: root })
  .map((file) => file.split('/')[1] as string)
  .filter((service) => service !== 'default');

/** What an entry may take from `shared/`: config, clients and stack; stores and queues are for `assemble`. */
const ENTRY = /^\.\.\/\.\.\/shared\/(lambda|protocol|aws)\/|^\.\.\/\.\.\/shared\/delivery\/create-post\.ts$/;

describe.each(services)('%s', (service) => {
  it('has an entry that makes config, clients and stack, and nothing else', () => {
    const source = readFileSync(join(root, `services/${service}/lambda.ts`), 'utf8');
    const imports = [...source.matchAll(/\b(?:from |import\()'([^']+)'/g)].map(([, name = '']) => name);
    expect(imports).toContain('./assemble.ts');
    expect(imports.filter((name) => name.startsWith('../') && !ENTRY.test(name))).toEqual([]);
  });

  it('is assembled from values, and calls nothing by being so', async () => {
    const { settings, assemble } = await import(join(root, `services/${service}/assemble.ts`));
    const config = Object.fromEntries(Object.keys(settings).map((name) => [name, 1]));
    const calls: unknown[] = [];
    const client = { send: async (command: unknown) => void calls.push(command) };
    const names = ['dynamodb', 'sqs', 'eventBridge', 'management'];
    const clients = {
      ...Object.fromEntries(names.map((name) => [name, client])),
      post: async () => void calls.push('post'),
      late: async () => void calls.push('late'),
    };
    expect(Object.values(assemble(config, clients, systemClock))).not.toContain(undefined);
    expect(calls).toEqual([]);
  });
});
