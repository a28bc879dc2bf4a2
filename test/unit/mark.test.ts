import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  hasLostWrites,
  isMarkMissed,
  isStoreMissing,
  MarkFile,
  markFilesIn,
  readMark,
} from '../../infra/local/state/mark.ts';

const directory = mkdtempSync(join(tmpdir(), 'fanwire-mark-'));
const file = join(directory, 'mark');
afterAll(() => rmSync(directory, { recursive: true }));

const BOOTED = 1_700_000_000;
const mark = { bootedAtSeconds: BOOTED, writes: 7, isClosed: false };

describe('a store has lost writes', () => {
  it.each([
    [false, 'it never had a mark and has counted nothing', undefined, 0, BOOTED],
    [true, 'its mark was taken away', undefined, 1, BOOTED],
    [true, 'its mark is damaged', 'damaged' as const, 7, BOOTED],
    [false, 'the process was killed', mark, 7, BOOTED],
    [false, 'the process was killed before it answered', mark, 8, BOOTED],
    [true, 'it is from an older copy, or was cut short', mark, 6, BOOTED],
    [true, 'the copy is older than a proper end', { ...mark, isClosed: true }, 6, BOOTED],
    [true, 'the machine went down under it', mark, 7, BOOTED + 3_600],
    [false, 'the machine went down after it was closed', { ...mark, isClosed: true }, 7, BOOTED + 3_600],
    [true, 'its clock says that the machine went down before', mark, 7, BOOTED - 3_600],
    [false, 'the clock was set right', mark, 7, BOOTED + 2],
  ])('%s: %s', (isLost, _, found, writes, booted) => {
    expect(hasLostWrites(found, writes, booted)).toBe(isLost);
  });
});

describe('a mark', () => {
  it('is read as it was written last', () => {
    expect(readMark(file)).toBeUndefined();
    const marks = new MarkFile(file, BOOTED, 123);
    expect(readMark(file)).toEqual({ bootedAtSeconds: BOOTED, writes: 123, isClosed: false });
    marks.set(4_567);
    expect(readMark(file)).toEqual({ bootedAtSeconds: BOOTED, writes: 4_567, isClosed: false });
    marks.close(4_568);
    expect(readMark(file)).toEqual({ bootedAtSeconds: BOOTED, writes: 4_568, isClosed: true });
  });

  it('follows one that was damaged, however long that was', () => {
    writeFileSync(file, 'x'.repeat(100));
    new MarkFile(file, BOOTED, 1).close(2);
    expect(readMark(file)).toEqual({ bootedAtSeconds: BOOTED, writes: 2, isClosed: true });
  });

  it('is there for every store of a directory or for none', () => {
    expect(isStoreMissing(directory)).toBe(false);
    const { tables, queues } = markFilesIn(directory);
    writeFileSync(tables, '');
    expect(isStoreMissing(directory)).toBe(true);
    writeFileSync(queues, '');
    expect(isStoreMissing(directory)).toBe(false);
  });

  it('that is missed stays so until there is another', () => {
    new MarkFile(file, BOOTED, 7).close(7);
    expect(isMarkMissed(file, 7, BOOTED)).toBe(false);
    expect(isMarkMissed(file, 6, BOOTED)).toBe(true);
    expect(isMarkMissed(file, 8, BOOTED)).toBe(true);
    new MarkFile(file, BOOTED, 8).close(8);
    expect(isMarkMissed(file, 8, BOOTED)).toBe(false);
  });

  it.each(['', 'no mark', '001700000000 0000000000'])('that reads %j is damaged', (text) => {
    writeFileSync(file, text);
    expect(readMark(file)).toBe('damaged');
  });
});
