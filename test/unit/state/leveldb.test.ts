import { globSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../../infra/local/dynamodb/leveldb/crc32c.ts';
import { inspect } from '../../../infra/local/dynamodb/leveldb/inspect.ts';

interface Database {
  open(options?: object): Promise<void>;
  put(key: string, value: string): Promise<void>;
  get(key: string): Promise<string | undefined>;
  compactRange(start: string, end: string): Promise<void>;
  close(): Promise<void>;
}
const { ClassicLevel } = createRequire(import.meta.url)('classic-level') as {
  ClassicLevel: new (location: string) => Database;
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fanwire-leveldb-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** With `writes` of some hundred bytes each, closed as a killed process leaves it: LevelDB does no more then. */
async function write(writes: number, options: object = {}): Promise<void> {
  const db = new ClassicLevel(directory);
  await db.open(options);
  for (let n = 0; n < writes; n++) await db.put(`key${n}`, `${n} `.repeat(100 + (n % 50)));
  await db.close();
}
const only = (pattern: string): string => {
  const files = globSync(join(directory, pattern));
  expect(files).toHaveLength(1);
  return files[0] as string;
};
/** Turns over the bits of so many bytes. */
function damage(file: string, at: number, length = 1): void {
  const bytes = readFileSync(file);
  for (let n = at; n < at + length; n++) bytes[n] = (bytes[n] as number) ^ 0xff;
  writeFileSync(file, bytes);
}

it('reckons checksums as RFC 3720 does', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
});

describe('a database', () => {
  it('is whole where there is none', () => {
    expect(inspect(directory)).toBe(true);
    expect(inspect(join(directory, 'none'))).toBe(true);
  });

  it.each([0, 1, 500])('is whole after %d writes, and when it has been opened again', async (writes) => {
    await write(writes);
    expect(inspect(directory)).toBe(true);
    await write(writes); // what was in the log is in a table now
    expect(inspect(directory)).toBe(true);
  });

  it('is whole with several tables and after compactions', async () => {
    for (let run = 0; run < 3; run++)
      await write(1_000, { writeBufferSize: 64 * 1024, maxFileSize: 1024 * 1024 });
    const db = new ClassicLevel(directory);
    await db.open();
    await db.compactRange('a', 'z');
    await db.close();
    expect(inspect(directory)).toBe(true);
  });

  it('may end in half a record, which a killed process leaves', async () => {
    await write(100);
    const log = only('*.log');
    const whole = readFileSync(log);
    for (const cut of [1, 5, 200, 3_000, whole.length]) {
      writeFileSync(log, whole.subarray(0, whole.length - cut));
      expect(inspect(directory)).toBe(true);
    }
  });

  it('lacks writes if its log is damaged anywhere', async () => {
    await write(300);
    const log = only('*.log');
    const whole = readFileSync(log);
    fc.assert(
      fc.property(fc.nat(whole.length - 40_000), fc.integer({ min: 1, max: 9 }), (at, length) => {
        damage(log, at, length);
        const isWhole = inspect(directory);
        writeFileSync(log, whole);
        expect(isWhole).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it('lacks writes if a part of its log is nothing but zeros', async () => {
    await write(300);
    const log = only('*.log');
    const bytes = readFileSync(log);
    writeFileSync(log, bytes.fill(0, 32_768, 65_536)); // a whole block, which LevelDB passes over without a word
    expect(inspect(directory)).toBe(false);
  });

  it('lacks writes if its manifest has lost its end, and knows nothing of what was in a log that is gone', async () => {
    await write(10);
    await write(10);
    const manifest = only('MANIFEST-*');
    expect(inspect(directory)).toBe(true);
    truncateSync(manifest, statSync(manifest).size - 1);
    expect(inspect(directory)).toBe(false);
  });

  it('lacks what its tables have if nothing names them', async () => {
    await write(10);
    await write(10);
    rmSync(join(directory, 'CURRENT'));
    expect(inspect(directory)).toBe(false);
  });

  it('is refused if a table is damaged, cut short or gone', async () => {
    await write(500);
    await write(0);
    const table = only('*.ldb');
    const whole = readFileSync(table);
    fc.assert(
      fc.property(fc.nat(whole.length - 49), (at) => {
        damage(table, at);
        try {
          expect(() => inspect(directory)).toThrow(
            /\d\.ldb: expected a block at byte \d+ that is as it was written/,
          );
        } finally {
          writeFileSync(table, whole);
        }
      }),
      { numRuns: 50 },
    );
    damage(table, whole.length - 1);
    expect(() => inspect(directory)).toThrow('.ldb: expected a table');
    truncateSync(table, whole.length - 1_000);
    expect(() => inspect(directory)).toThrow(`expected ${whole.length} bytes, got ${whole.length - 1_000}`);
    rmSync(table);
    expect(() => inspect(directory)).toThrow('.ldb: ENOENT');
  });

  it('is refused if its manifest is damaged, or none', async () => {
    await write(10);
    await write(10);
    const manifest = only('MANIFEST-*');
    damage(manifest, 0);
    expect(() => inspect(directory)).toThrow('expected a record at byte');
    rmSync(manifest);
    expect(() => inspect(directory)).toThrow('ENOENT');
    writeFileSync(join(directory, 'CURRENT'), 'garbage');
    expect(() => inspect(directory)).toThrow('in CURRENT');
  });
});
