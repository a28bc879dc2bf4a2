import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasRoomFor } from '../../../infra/local/state/room.ts';

it('finds out whether there is room, and leaves nothing behind', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fanwire-room-'));
  try {
    expect(hasRoomFor(join(directory, 'room'), 100_000)).toBe(true);
    expect(hasRoomFor(join(directory, 'none/room'), 1)).toBe(false);
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
