import { maskedCrc32c } from './crc32c.ts';
import { Cursor } from './cursor.ts';
import { DamageError } from './damage.ts';
import { uncompress } from './snappy.ts';

const FOOTER_BYTES = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** After a block: how it is compressed, and the checksum of both. */
const TYPE_BYTES = 1;
const CHECKSUM_BYTES = 4;
const SNAPPY = 1;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Compares every block of a table with its checksum (LevelDB's doc/table_format.md). */
export function checkTable(table: Buffer): void {
  const footer = table.subarray(-FOOTER_BYTES);
  if (!footer.subarray(-MAGIC.length).equals(MAGIC))
    throw new DamageError('expected a table, got no end of one');
  const cursor = new Cursor(footer);
  const [filters, index] = [handleAt(cursor), handleAt(cursor)];
  for (const list of [filters, index]) {
    for (const block of handlesIn(contentOf(table, list))) checkBlock(table, block);
  }
}

const handleAt = (cursor: Cursor): Handle => ({ offset: cursor.varint(), size: cursor.varint() });

/** The block as it is stored, with its type. */
function checkBlock(table: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size + TYPE_BYTES;
  if (end + CHECKSUM_BYTES > table.length) {
    throw new DamageError(`expected ${end + CHECKSUM_BYTES} bytes, got ${table.length}`);
  }
  const block = table.subarray(offset, end);
  if (table.readUInt32LE(end) !== maskedCrc32c(block)) {
    throw new DamageError(`expected a block at byte ${offset} that is as it was written`);
  }
  return block;
}

function contentOf(table: Buffer, handle: Handle): Buffer {
  const block = checkBlock(table, handle);
  const content = block.subarray(0, -TYPE_BYTES);
  return block.at(-1) === SNAPPY ? uncompress(content) : content;
}

/** The values of a block's entries, which are places of other blocks here. */
function* handlesIn(content: Buffer): Generator<Handle> {
  const restarts = content.readUInt32LE(content.length - 4);
  const entries = new Cursor(content.subarray(0, content.length - 4 * (restarts + 1)));
  while (!entries.isAtEnd) {
    entries.varint(); // shared with the key before
    const [keyBytes, valueBytes] = [entries.varint(), entries.varint()];
    entries.bytes(keyBytes);
    yield handleAt(new Cursor(entries.bytes(valueBytes)));
  }
}
