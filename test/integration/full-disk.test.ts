import { execFileSync, spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../infra/local/clock.ts';
import { Dynalite } from '../../infra/local/dynamodb/dynalite.ts';
import { Outage } from '../../infra/local/state/outage.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-full-'));
const running: System[] = [];
afterEach(async () => {
  for (const system of running.splice(0)) await system.kill();
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function start(): Promise<System> {
  const system = await startSystem({ dataDir });
  running.push(system);
  return system;
}

/** No file of the process may grow beyond it (its soft limit, which can be raised again), which is as near to a full disk as a test gets. */
const limit = ({ pid }: Pick<System, 'pid'>, bytes: number | 'unlimited'): void =>
  void execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);

const isAlive = async ({ ready }: System): Promise<boolean> =>
  (await fetch(`${ready.endpoint}/_fanwire/health`)).ok;

/** The offsets of the messages in the log. */
async function offsetsIn(system: System): Promise<Set<number>> {
  const rows = await new BackEnd(system.ready).rows('messages');
  const entries = rows as { offset: { N: string }; json?: unknown }[];
  return new Set(entries.filter(({ json }) => json !== undefined).map(({ offset }) => Number(offset.N)));
}

// What limits a process that runs is Linux's.
describe.runIf(process.platform === 'linux')('a full disk', () => {
  it('costs nothing that was acknowledged, and is over once there is room', async () => {
    const system = await start();
    const client = await Client.open(system.ready.websocketUrl);
    const publish = (data: unknown) => client.ask({ action: 'publish', topic: 'chat/full', data });
    const acknowledged: number[] = [];
    const tell = ({ type, offset }: { type: string; offset?: number }): boolean => {
      if (type === 'ack' && offset !== undefined) acknowledged.push(offset);
      return type === 'ack';
    };
    tell(await publish('before'));
    const largest = Math.max(...globSync(join(dataDir, '**/*')).map((file) => statSync(file).size));
    limit(system, largest + 20_000);
    for (let tries = 0; tries < 200 && tell(await publish('x'.repeat(1_000))); tries++);
    expect(tell(await publish('x'.repeat(1_000)))).toBe(false);
    expect(await isAlive(system)).toBe(true);
    const page = await client.ask({ action: 'history', topic: 'chat/full', limit: 1 });
    expect(page).toMatchObject({ type: 'ack', messages: [{ data: 'before' }] });
    expect(system.output()).toMatch(/cannot be written: .+/);
    limit(system, 'unlimited');
    await expect.poll(async () => tell(await publish('after')), { timeout: 20_000 }).toBe(true);
    expect(system.output().match(/cannot be written/g)?.length).toBeLessThanOrEqual(2);
    await system.kill();
    running.pop();
    const again = await start();
    const kept = await offsetsIn(again);
    expect(acknowledged.filter((offset) => !kept.has(offset))).toEqual([]);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(again.output()).not.toContain('new epoch');
  }, 120_000);

  it('has the tables keep what they acknowledge after it', async () => {
    const source = (file: string): string =>
      JSON.stringify(join(import.meta.dirname, '../../infra/local', file));
    const script = `
      import { setTimeout } from 'node:timers/promises';
      import { systemClock } from ${source('clock.ts')};
      import { Dynalite } from ${source('dynamodb/dynalite.ts')};
      import { Outage } from ${source('state/outage.ts')};
      const [, path] = process.argv;
      const disk = { path, markFile: path + '.mark', clock: systemClock, outage: new Outage('the tables', console.log) };
      const dynalite = await Dynalite.open({ disk, region: 'eu-west-1', accountId: '0' });
      const key = { AttributeName: 'id', AttributeType: 'S' };
      await dynalite.run('CreateTable', {
        ...{ TableName: 'items', AttributeDefinitions: [key], BillingMode: 'PAY_PER_REQUEST' },
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      });
      dynalite.account();
      for (let id = 0, acknowledged = 0; acknowledged < 500; id++) {
        try {
          const Item = { id: { S: String(id) }, text: { S: 'x'.repeat(777) } };
          await dynalite.run('PutItem', { TableName: 'items', Item });
          await new Promise((resolve) => process.stdout.write(id + '\\n', resolve));
          acknowledged++;
        } catch {
          await setTimeout(50);
        }
      }
      process.kill(process.pid, 'SIGKILL');`;
    const path = join(dataDir, 'tables');
    const command = `ulimit -S -f 200; exec '${process.execPath}' --input-type=module -e "$0" "$1"`;
    const child = spawn('sh', ['-c', command, script, path]);
    let output = '';
    let hasRoom = false;
    for await (const chunk of child.stdout) {
      output += chunk;
      if (hasRoom || !output.includes('cannot be written')) continue;
      hasRoom = true;
      limit({ pid: child.pid as number }, 'unlimited'); // it prints, so it has started
    }
    const acknowledged = output.match(/^\d+$/gm) ?? [];
    expect(output).toContain('the tables can be written again');
    const disk = { path, markFile: `${path}.mark`, clock: systemClock, outage: new Outage('', () => {}) };
    const dynalite = await Dynalite.open({ disk, region: 'eu-west-1', accountId: '0' });
    const { Items } = (await dynalite.run('Scan', { TableName: 'items' })) as {
      Items: { id: { S: string } }[];
    };
    await dynalite.close();
    expect(acknowledged).toHaveLength(500);
    expect(acknowledged.filter((id) => !Items.some((item) => item.id.S === id))).toEqual([]);
    expect(dynalite.hasLostWrites).toBe(false);
  }, 60_000);
});
