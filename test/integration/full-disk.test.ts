import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
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
const limit = (system: System, bytes: number | 'unlimited'): void =>
  void execFileSync('prlimit', ['--pid', String(system.pid), `--fsize=${bytes}:`]);

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
  });
});
