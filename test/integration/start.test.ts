import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OPEN_APP } from '../support/apps.ts';
import { assemblyOf, synthesiseAll } from '../support/assemblies.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type SystemOptions, spawnMain, startSystem } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '../..');
const START = join(ROOT, 'infra/local/start.js');
const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-start-'));
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

beforeAll(() => synthesiseAll(OPEN_APP, 'test/apps/shop.ts'));

async function start(options: SystemOptions) {
  const system = await startSystem(options);
  running.push(() => system.stop());
  return system;
}

/** Runs `npm start` where it is expected to end by itself. */
function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  return outcomeOf(spawnMain(args));
}
/** With an app that need not be synthesised for it. */
async function runSynthesised(...args: string[]): Promise<{ code: number | null; output: string }> {
  const assembly = await assemblyOf(OPEN_APP);
  return outcomeOf(spawnMain(args, assembly));
}

function outcomeOf(
  child: Pick<ChildProcess, 'once'> & { readonly stdout: Readable; readonly stderr: Readable },
): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('npm start', () => {
  it('says what it can do', async () => {
    const { code, output } = await run('--help');
    expect([code, output]).toEqual([0, expect.stringContaining('--ready-file FILE')]);
  });

  it.each([
    [['--prot', '1'], '--prot'],
    [['--port', 'x'], 'expected --port to be a number from 0 to 65535, got x'],
    [['--latency', 'mars'], 'expected --latency to be one of aws, perhaps with a colon and a seed, got mars'],
    [
      ['--allow-origin', 'https://app.example.com/chat'],
      'expected --allow-origin to be an origin like https://app.example.com, got https://app.example.com/chat',
    ],
    [['--ready-file', 'infra'], 'expected --ready-file to be a file that can be written'],
    [['--app', 'no-such-app.ts'], 'did not synthesise'],
  ])('with %j says what is wrong', async (args, message) => {
    const { code, output } = await run('--ephemeral', ...args);
    expect([code, output]).toEqual([1, expect.stringContaining(message)]);
  });

  it('says which port is taken, and which data directory another one uses', async () => {
    const { ready } = await start({ dataDir });
    const { port } = new URL(ready.endpoint);
    const [byPort, byDirectory] = await Promise.all([
      runSynthesised('--ephemeral', '--port', port, '--quiet'),
      runSynthesised('--port', '0', '--data', dataDir),
    ]);
    expect([byPort.code, byPort.output]).toEqual([1, expect.stringContaining(`Port ${port} is taken`)]);
    expect([byDirectory.code, byDirectory.output]).toEqual([
      1,
      expect.stringContaining(`${dataDir} is in use by another Fanwire`),
    ]);
    const isWarned = ({ output }: { readonly output: string }): boolean => output.includes('[Warning at /');
    expect([isWarned(byDirectory), isWarned(byPort)]).toEqual([true, false]);
  });

  it('keeps state and credentials in its data directory', async () => {
    const first = await startSystem({ dataDir });
    await new BackEnd(first.ready).publish({ topic: 'a b', data: 1 }, { data: 2 });
    await first.stop();
    const second = await start({ dataDir });
    expect(second.ready.secretAccessKey).toBe(first.ready.secretAccessKey);
    const backEnd = new BackEnd(second.ready);
    await expect.poll(() => backEnd.depth('ingestDeadLetters'), { timeout: 20_000 }).toBe(2);
  });

  describe('begins new epochs', () => {
    /** Publishes a message by a system of its own. */
    async function publish(directory: string) {
      const system = await startSystem({ dataDir: directory });
      const client = await Client.open(system.ready.websocketUrl);
      const { epoch, offset } = await client.ask({ action: 'publish', topic: 'chat/old', data: 1 });
      await client.close();
      await system.stop();
      return { epoch, offset, output: system.output() };
    }

    it('when its tables are from an older copy', async () => {
      const directory = join(dataDir, 'older');
      const tables = join(directory, 'dynamodb');
      const first = await publish(directory);
      cpSync(tables, `${tables}.copy`, { recursive: true });
      const second = await publish(directory);
      expect([second.epoch, second.offset]).toEqual([first.epoch, 2]);
      rmSync(tables, { recursive: true });
      renameSync(`${tables}.copy`, tables);
      const third = await publish(directory);
      expect([third.epoch === first.epoch, third.offset]).toEqual([false, 1]);
      expect(third.output).toContain('Topics with history begin a new epoch');
      const fourth = await publish(directory);
      expect([fourth.epoch, fourth.offset]).toEqual([third.epoch, 2]);
    });

    it('when its queues are gone, with what was on its way', async () => {
      const directory = join(dataDir, 'gone');
      const first = await publish(directory);
      for (const file of globSync(join(directory, 'fauxqs.*'))) rmSync(file);
      const second = await publish(directory);
      expect([second.epoch === first.epoch, second.offset]).toEqual([false, 1]);
      expect(second.output).toContain('Topics with history begin a new epoch');
      const third = await publish(directory);
      expect([third.epoch, third.offset]).toEqual([second.epoch, 2]);
    });
  });

  it('makes code again that is deleted while it runs', async () => {
    const { ready, pid } = await start({});
    const [code = ''] = globSync(join(tmpdir(), `fanwire-code-${pid}-*`));
    rmSync(code, { recursive: true, maxRetries: 9 }); // what is scheduled may be loading it
    const client = await Client.open(ready.websocketUrl);
    expect(await client.ask({ action: 'whoami' })).toMatchObject({ type: 'ack' });
    await client.close();
  });

  describe('says in words, and without a stack, what is wrong with', () => {
    const directory = join(dataDir, 'damaged');
    const stateWith = (file: string, text: string): void => {
      mkdirSync(join(directory, 'dynamodb'), { recursive: true });
      writeFileSync(join(directory, file), text);
    };
    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    it.each([
      ['an empty key', 'credentials.json', '', 'remove that file to get a new one'],
      ['half a key', 'credentials.json', '{"accessKeyId":"AKIA', 'remove that file to get a new one'],
      ['damaged tables', 'dynamodb/CURRENT', 'garbage', 'the tables in'],
      ['tables of which a part is gone', 'dynamodb/CURRENT', 'MANIFEST-000004\n', 'the tables in'],
      ['damaged queues', 'fauxqs.db', 'garbage'.repeat(1_000), 'the queues in'],
    ])('%s', async (_, file, text, words) => {
      stateWith(file, text);
      const { code, output } = await runSynthesised('--port', '0', '--data', directory);
      expect([code, output]).toEqual([1, expect.stringContaining(words)]);
      expect(output).toMatch(/remove that (file|directory)/);
      expect(output).not.toMatch(/another Fanwire|AKIA|\n\s+at /);
    });

    // Only there does a file system refuse a directory as if what is above it were missing.
    it.runIf(process.platform === 'linux')('a directory where there can be none', async () => {
      const { code, output } = await runSynthesised('--port', '0', '--data', '/proc/fanwire/state');
      expect([code, output]).toEqual([
        1,
        expect.stringContaining('expected a directory that can be written, got /proc/fanwire/state'),
      ]);
      expect(output).not.toMatch(/\n\s+at /);
    });

    it('a directory that is a file', async () => {
      stateWith('file', '');
      const { code, output } = await runSynthesised('--port', '0', '--data', join(directory, 'file'));
      expect([code, output]).toEqual([
        1,
        expect.stringContaining('expected a directory that can be written'),
      ]);
      expect(output).not.toMatch(/\n\s+at /);
    });

    const manifest = (artifacts: object): string =>
      `import { writeFileSync } from 'node:fs';
      writeFileSync(process.env.CDK_OUTDIR + '/manifest.json', ${JSON.stringify(JSON.stringify({ artifacts }))});`;
    const stack = { type: 'aws:cloudformation:stack', properties: { templateFile: 'x.json' } };
    it.each([
      ['an app that is none', '', 'to be a CDK app, got no assembly from it'],
      ['an app without a stack', manifest({}), 'expected an app with one stack, got none'],
      [
        'an app with two',
        manifest({ One: stack, Two: stack }),
        'expected an app with one stack, got One, Two',
      ],
      ['an app whose packages are not installed', "import 'not-installed';", 'Install it with: npm ci'],
    ])('%s', async (_, text, words) => {
      stateWith('app.mjs', text);
      const { code, output } = await run('--ephemeral', '--port', '0', '--app', join(directory, 'app.mjs'));
      expect([code, output]).toEqual([1, expect.stringContaining(words)]);
      expect(output).not.toMatch(/\n\s+at /);
    });

    it('a Node that cannot run it', async () => {
      const child = spawn(process.execPath, ['--no-experimental-strip-types', START]);
      const { code, output } = await outcomeOf(child);
      expect([code, output]).toEqual([
        1,
        expect.stringMatching(/^Fanwire runs on Node 24, .*npm ci && npm start\n$/),
      ]);
    });

    it('a folder in which nothing is installed', async () => {
      for (const part of ['infra', 'shared', 'package.json']) {
        cpSync(join(ROOT, part), join(directory, part), { recursive: true });
      }
      const { code, output } = await outcomeOf(
        spawn(process.execPath, [join(directory, 'infra/local/start.js')], { cwd: directory }),
      );
      expect([code, output]).toEqual([
        1,
        expect.stringMatching(/^Something is not installed: .*\nInstall it with: npm ci\n$/),
      ]);
    });
  });

  it('names everything in an app that does not run here, with a hint', async () => {
    const { code, output } = await run('--ephemeral', '--port', '0', '--app', 'test/apps/unsupported.ts');
    expect(code).toBe(1);
    for (const part of [
      'News',
      'AWS::SNS::Topic',
      'Ordered',
      'FifoQueue',
      'FIFO queues do not run locally',
    ]) {
      expect(output).toContain(part);
    }
  });
});

it("runs somebody's own app: their rule, their function and their stage beside Fanwire", async () => {
  const { ready } = await start({ app: 'test/apps/shop.ts' });
  expect(ready.websocketUrl).toMatch(/^ws:\/\/localhost:\d+\/live$/);
  const client = await Client.open(ready.websocketUrl);
  await client.subscribe('orders/*');
  const backEnd = new BackEnd(ready);
  await backEnd.put({ source: 'shop', detailType: 'order', detail: { total: 7 } });
  await backEnd.put({ source: 'shop', detailType: 'order', detail: { total: 700 } });
  await client.message({ total: 700 });
  expect(client.messages).toHaveLength(1);
});

describe('the one port', () => {
  it('answers everything that is not there with a status', async () => {
    const { ready } = await start({});
    const { endpoint } = ready;
    const status = async (path: string, init?: RequestInit) => (await fetch(endpoint + path, init)).status;
    const target = (name: string) => ({ method: 'POST', headers: { 'x-amz-target': name }, body: '{}' });
    expect(await status('/no-such-page')).toBe(404);
    expect(await status('/prod')).toBe(426);
    expect(await status('/', target('Kinesis_20131202.PutRecord'))).toBe(400);
    expect(await status('/', target('AmazonSQS.Teleport'))).toBe(403); // nobody has signed it
    const large = { ...target('AmazonSQS.SendMessage'), body: 'x'.repeat(18 * 1024 * 1024) };
    expect(await status('/', large)).toBe(403); // its size is not looked at either
    await expect(Client.open(ready.websocketUrl.replace('prod', 'test'))).rejects.toThrow('403');
  });
});
