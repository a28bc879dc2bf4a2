import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** What every local service may know: time, HTTP, CloudFormation, the language of policies and what can befall state. */
const LOCAL_GROUND = [
  ...[
    'http/',
    'policy/',
    'stack/',
    'state/',
    'account.ts',
    'clock.ts',
    'delays.ts',
    'last.ts',
    'owned.ts',
  ].map((name) => `infra/local/${name}`),
  'shared/',
];
/** The local services: none of them knows who meters it, who checks the requests to it, and what goes wrong in it. */
const LOCAL_SERVICES = [
  'apigateway/',
  'dynamodb/',
  'eventbridge/',
  'lambda/',
  'scheduler/',
  'secretsmanager/',
  'sqs/',
].map((name) => `infra/local/${name}`);

/**
 * Where the code below a prefix may import from, besides itself; the longest matching prefix decides. What stands first
 * in `shared/` knows nothing of what follows.
 */
const MAY_IMPORT: Record<string, string[]> = {
  'shared/async.ts': [],
  'shared/retry.ts': [],
  'shared/protocol/': [],
  'shared/aws/': ['shared/async.ts'],
  'shared/data/': ['shared/protocol/', 'shared/async.ts', 'shared/retry.ts'],
  'shared/queues/': ['shared/data/', 'shared/protocol/', 'shared/async.ts', 'shared/retry.ts'],
  'shared/lambda/': ['shared/protocol/', 'shared/aws/', 'shared/async.ts', 'shared/retry.ts'],
  'shared/auth/': [
    'shared/lambda/',
    'shared/data/',
    'shared/protocol/',
    'shared/aws/',
    'shared/async.ts',
    'shared/retry.ts',
  ],
  'shared/limits/': [
    'shared/lambda/',
    'shared/data/',
    'shared/protocol/',
    'shared/aws/',
    'shared/async.ts',
    'shared/retry.ts',
  ],
  'shared/delivery/': [
    'shared/lambda/',
    'shared/queues/',
    'shared/data/',
    'shared/protocol/',
    'shared/aws/',
    'shared/async.ts',
  ],
  'shared/client/': ['shared/protocol/'],
  'infra/': ['infra/', 'shared/'],
  'infra/local/': ['infra/local/', 'infra/web/', 'shared/'],
  'infra/local/http/': [
    'infra/local/policy/',
    'infra/local/account.ts',
    'infra/local/last.ts',
    'infra/local/owned.ts',
    'shared/',
  ],
  'infra/local/stack/': ['infra/local/account.ts', 'shared/'],
  'infra/local/state/': [],
  'infra/local/policy/': ['infra/local/stack/', 'shared/'],
  'infra/local/dynamodb/': LOCAL_GROUND,
  'infra/local/secretsmanager/': LOCAL_GROUND,
  'infra/local/sqs/': LOCAL_GROUND,
  'infra/local/lambda/': [...LOCAL_GROUND, 'infra/local/sqs/'],
  'infra/local/apigateway/': [...LOCAL_GROUND, 'infra/local/lambda/'],
  'infra/local/eventbridge/': [...LOCAL_GROUND, 'infra/local/lambda/', 'infra/local/sqs/'],
  'infra/local/scheduler/': [...LOCAL_GROUND, 'infra/local/eventbridge/', 'infra/local/lambda/'],
  'infra/local/iam/': [...LOCAL_GROUND, ...LOCAL_SERVICES, 'infra/local/credentials.ts'],
  'infra/local/meter/': [...LOCAL_GROUND, ...LOCAL_SERVICES],
  'infra/local/faults/': [...LOCAL_GROUND, ...LOCAL_SERVICES],
  'infra/local/latency/': [...LOCAL_GROUND, ...LOCAL_SERVICES, 'infra/local/faults/random.ts'],
  'infra/model/': ['infra/local/', 'infra/settings.ts', 'infra/sizes.ts', 'shared/'],
};

/** What runs in a browser too: no package, neither of Node nor of AWS. */
const PLAIN = ['shared/protocol/', 'shared/client/'];

function mayImport(file: string): string[] {
  if (file.startsWith('services/')) return [`${file.split('/').slice(0, 2).join('/')}/`, 'shared/'];
  const [layer] = Object.keys(MAY_IMPORT)
    .filter((prefix) => file.startsWith(prefix))
    .sort((a, b) => b.length - a.length);
  return layer === undefined ? [] : [layer, ...(MAY_IMPORT[layer] ?? [])];
}

const importsOf = (source: string): string[] =>
  [...source.matchAll(/(?:\bfrom |^import |\bimport\()'([^']+)'/gm)].map(([, specifier = '']) => specifier);

const exportsOf = (source: string): string[] => [
  ...new Set(
    [...source.matchAll(/^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm)].map(
      ([, name = '']) => name,
    ),
  ),
];

function violationsIn(file: string, source: string): string[] {
  const { own = [], packages = [] } = Object.groupBy(importsOf(source), (specifier) =>
    specifier.startsWith('.') ? 'own' : 'packages',
  );
  const targets = own.map((specifier) => join(dirname(file), specifier));
  return [
    ...targets.filter((target) => !mayImport(file).some((prefix) => target.startsWith(prefix))),
    ...(PLAIN.some((prefix) => file.startsWith(prefix)) ? packages : []),
  ].map((target) => `${file} -> ${target}`);
}

const sources = globSync('{services,shared,infra}/**/*.ts', { cwd: root });

it('keeps every layer to what it may import', () => {
  expect(sources.length).toBeGreaterThan(250);
  expect(sources.flatMap((file) => violationsIn(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
});

it('exports no name from two files of shared', () => {
  const names = sources
    .filter((file) => file.startsWith('shared/'))
    .flatMap((file) => exportsOf(readFileSync(join(root, file), 'utf8')));
  expect(names.length).toBeGreaterThan(300);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

it('gives what runs locally its rooms', () => {
  expect(globSync('infra/local/*.ts', { cwd: root }).length).toBeLessThanOrEqual(12);
});

it('sees every import', () => {
  const source = [
    "import { a } from './a.ts';",
    "import type {\n  B,\n} from './b.ts';",
    "export { c } from './c.ts';",
    "import './d.ts';",
    "const e = await import('./e.ts');",
    "import f from 'node:f';",
  ].join('\n');
  expect(importsOf(source)).toEqual(['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', 'node:f']);
});

describe('a slip is found', () => {
  it.each([
    ['a service that imports another', 'services/subscribe/lambda.ts', '../fanout/fan-out.ts'],
    ['a folder of shared against the direction', 'shared/data/forget.ts', '../delivery/run.ts'],
    ['the protocol with what is above it', 'shared/protocol/publication.ts', '../queues/messages.ts'],
    ['the client with anything but the protocol', 'shared/client/client.ts', '../queues/bus.ts'],
    ['the model with the command line', 'infra/model/plan.ts', '../cli/report.ts'],
    ['a local service that meters itself', 'infra/local/sqs/queues.ts', '../meter/meter.ts'],
    ['a local service that asks for faults', 'infra/local/lambda/pool.ts', '../faults/faults.ts'],
    ['a local service that is as late as AWS', 'infra/local/dynamodb/tables.ts', '../latency/latencies.ts'],
    ['a local service that checks rights', 'infra/local/apigateway/gateway.ts', '../iam/guard.ts'],
    ['a local service with one that uses it', 'infra/local/sqs/queues.ts', '../lambda/mapping.ts'],
    ['the local server with a service', 'infra/local/http/server.ts', '../apigateway/gateway.ts'],
    ['what reads a template with a service', 'infra/local/stack/stack.ts', '../services.ts'],
    ['what runs on AWS with infra', 'shared/delivery/run.ts', '../../infra/settings.ts'],
  ])('%s', (_, file, specifier) => {
    const target = join(dirname(file), specifier);
    expect(violationsIn(file, `import { it } from '${specifier}';`)).toEqual([`${file} -> ${target}`]);
  });

  it.each(['node:crypto', '@aws-sdk/client-sqs'])('%s in what the client imports', (name) => {
    for (const file of ['shared/client/session.ts', 'shared/protocol/parse.ts']) {
      expect(violationsIn(file, `import { it } from '${name}';`)).toEqual([`${file} -> ${name}`]);
    }
  });
});

it('reads process.env only in a Lambda entry and in the command line, and the trace id as the SDK does', () => {
  const edges = [/^services\/[^/]+\/lambda\.ts$/, /^infra\//, /^shared\/aws\/sdk\/trace\.ts$/];
  const readers = sources
    .map((file) => relative(root, join(root, file)))
    .filter((file) => readFileSync(join(root, file), 'utf8').includes('process.env'))
    .filter((file) => !edges.some((edge) => edge.test(file)));
  expect(readers).toEqual([]);
});
