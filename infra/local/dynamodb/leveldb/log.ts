import { maskedCrc32c } from './crc32c.ts';
import { DamageError } from './damage.ts';

/** Records do not cross it: they are cut into fragments (LevelDB's doc/log_format.md). */
const BLOCK_BYTES = 32_768;
/** The checksum of what follows it, the length of the fragment, and its type. */
const HEADER_BYTES = 7;
const TYPE_AT = 6;

/** By type: whether a fragment begins a record, and whether it ends one. */
const TYPES: Readonly<Record<number, { readonly begins: boolean; readonly ends: boolean }>> = {
  1: { begins: true, ends: true },
  2: { begins: true, ends: false },
  3: { begins: false, ends: false },
  4: { begins: false, ends: true },
};

/**
 * The records of a log. One that its writer did not finish is its end, as when a process is killed; LevelDB passes over
 * anything else that is wrong and goes on behind it, here it is a DamageError.
 */
export function* recordsOf(log: Buffer): Generator<Buffer> {
  let fragments: Buffer[] = [];
  for (let at = 0; at < log.length; ) {
    const blockEnd = at - (at % BLOCK_BYTES) + BLOCK_BYTES;
    if (blockEnd - at < HEADER_BYTES) {
      at = blockEnd; // filled up
      continue;
    }
    if (at + HEADER_BYTES > log.length) return;
    const end = at + HEADER_BYTES + log.readUInt16LE(at + 4);
    if (end > log.length && blockEnd >= log.length) return;
    const type = TYPES[log[at + TYPE_AT] as number];
    const isSound = end <= blockEnd && log.readUInt32LE(at) === maskedCrc32c(log.subarray(at + TYPE_AT, end));
    if (!type || !isSound || type.begins !== (fragments.length === 0)) {
      throw new DamageError(`expected a record at byte ${at} that is as it was written`);
    }
    fragments.push(log.subarray(at + HEADER_BYTES, end));
    at = end;
    if (!type.ends) continue;
    yield Buffer.concat(fragments);
    fragments = [];
  }
}
