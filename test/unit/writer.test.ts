import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { type Write, Writer } from '../../infra/local/dynamodb/writer.ts';
import { readMark } from '../../infra/local/state/mark.ts';
import { Outage } from '../../infra/local/state/outage.ts';
import { ManualClock } from '../support/manual-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'fanwire-writer-'));
const markFile = join(directory, 'mark');
afterAll(() => rmSync(directory, { recursive: true }));

/** A database whose commits end when the test says so. */
class FakeDatabase {
  readonly commits: { readonly writes: readonly Write[]; end(error?: Error): void }[] = [];
  readonly calls: string[] = [];
  opens = true;
  hasRoom = () => true;

  async open(): Promise<void> {
    this.calls.push('open');
    if (!this.opens) throw new Error('full');
  }
  get = async (): Promise<unknown> => 41;
  batch(writes: readonly Write[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.commits.push({ writes, end: (error) => (error ? reject(error) : resolve()) });
    return promise;
  }
  async close(): Promise<void> {
    this.calls.push('close');
  }
}

let db: FakeDatabase;
let clock: ManualClock;
let lines: string[];
let writer: Writer;

beforeEach(async () => {
  rmSync(markFile, { force: true });
  db = new FakeDatabase();
  clock = new ManualClock();
  lines = [];
  const outage = new Outage('the tables', (line) => lines.push(line));
  writer = new Writer(db, { markFile, clock, outage, bootedAtSeconds: 1_700_000_000 });
  await writer.open();
  writer.account();
});

const put = (key: string): Promise<void> =>
  new Promise((resolve, reject) =>
    writer.write([{ type: 'put', key, value: 1 }], (error) => (error ? reject(error) : resolve())),
  );
const keysOf = (commit: number): string[] => (db.commits[commit]?.writes ?? []).map(({ key }) => key);
const committing = (count: number) =>
  vi.waitFor(() => expect(db.commits).toHaveLength(count), { interval: 1 });

it('writes what comes during a commit in the next, each with its number', async () => {
  const first = put('a');
  const others = [put('b'), put('c')];
  expect(db.commits).toHaveLength(1);
  db.commits[0]?.end();
  await first;
  await committing(2);
  expect([keysOf(0), keysOf(1)]).toEqual([
    ['a', '#commits'],
    ['b', 'c', '#commits'],
  ]);
  expect(db.commits[1]?.writes.at(-1)?.value).toBe(43);
  expect(readMark(markFile)).toMatchObject({ writes: 42 }); // the second is not answered yet
  db.commits[1]?.end();
  await Promise.all(others);
  expect(readMark(markFile)).toMatchObject({ writes: 43, isClosed: false });
});

it('refuses everything once a commit has failed, until it has opened the database again', async () => {
  const failed = put('a');
  db.commits[0]?.end(new Error('no space'));
  await expect(failed).rejects.toThrow('the tables cannot be written');
  await expect(put('b')).rejects.toThrow('the tables cannot be written');
  expect(db.commits).toHaveLength(1);
  db.opens = false;
  clock.advance(1_000);
  await vi.waitFor(() => expect(clock.waiting).toBe(1), { interval: 1 });
  await expect(put('c')).rejects.toThrow('the tables cannot be written');
  db.opens = true;
  clock.advance(1_000);
  await vi.waitFor(() => expect(writer.isBroken).toBe(false), { interval: 1 });
  const written = put('d');
  db.commits[1]?.end();
  await written;
  expect(db.calls).toEqual(['open', 'close', 'open', 'close', 'open']);
  expect(lines).toEqual([
    'the tables cannot be written: no space. What would be written is refused until they can',
    'the tables can be written again',
  ]);
});

it('leaves the database open, to be read, as long as it could not be opened again', async () => {
  const failed = put('a');
  db.commits[0]?.end(new Error('no space'));
  await expect(failed).rejects.toThrow('the tables cannot be written');
  db.hasRoom = () => false;
  clock.advance(1_000);
  db.hasRoom = () => {
    throw new Error('its directory is gone');
  };
  clock.advance(1_000);
  expect([db.calls, writer.isBroken, clock.waiting]).toEqual([['open'], true, 1]);
  db.hasRoom = () => true;
  clock.advance(1_000);
  await vi.waitFor(() => expect(writer.isBroken).toBe(false), { interval: 1 });
});

it('notes in the mark that it was closed, once that is on disk', async () => {
  const closing = writer.close();
  await committing(1);
  expect(readMark(markFile)).toMatchObject({ isClosed: false });
  db.commits[0]?.end();
  await closing;
  expect(readMark(markFile)).toMatchObject({ writes: 42, isClosed: true });
});

it('does not say that it was closed properly if it could not be written', async () => {
  const failed = put('a');
  db.commits[0]?.end(new Error('no space'));
  await expect(failed).rejects.toThrow();
  await writer.close();
  expect(clock.waiting).toBe(0);
  expect(readMark(markFile)).toMatchObject({ writes: 41, isClosed: false });
});

it('takes nothing any more once it is closed', async () => {
  const closing = writer.close();
  await committing(1);
  db.commits[0]?.end();
  await closing;
  await expect(put('a')).rejects.toThrow('Database is closed');
  expect(lines).toEqual([]);
});
