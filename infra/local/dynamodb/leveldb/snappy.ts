import { Cursor } from './cursor.ts';
import { DamageError } from './damage.ts';

/** Of a block's index, which LevelDB keeps to a few KB for each MB of a table. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Longer literals have their length in the bytes that follow. */
const LITERAL_SHORT_MAX = 60;

/** What Snappy has compressed (its format_description.txt). */
export function uncompress(compressed: Buffer): Buffer {
  const input = new Cursor(compressed);
  const length = input.varint();
  if (length > BYTES_MAX) throw new DamageError(`expected at most ${BYTES_MAX} bytes, got ${length}`);
  const output = Buffer.alloc(length);
  let at = 0;
  while (!input.isAtEnd) {
    const tag = input.byte();
    const rest = tag >>> 2;
    if ((tag & 3) === 0) {
      const size = rest < LITERAL_SHORT_MAX ? rest + 1 : input.fixed(rest - LITERAL_SHORT_MAX + 1) + 1;
      at += input.bytes(size).copy(output, at);
    } else {
      const { size, distance } = copyOf(tag, input);
      if (distance === 0 || distance > at)
        throw new DamageError(`expected a copy of what is before byte ${at}`);
      // Byte by byte: it may be a copy of itself.
      for (const end = Math.min(at + size, length); at < end; at++)
        output[at] = output[at - distance] as number;
    }
  }
  if (at !== length) throw new DamageError(`expected ${length} bytes, got ${at}`);
  return output;
}

function copyOf(tag: number, input: Cursor): { readonly size: number; readonly distance: number } {
  const rest = tag >>> 2;
  if ((tag & 3) === 1) return { size: (rest & 7) + 4, distance: (rest >>> 3) * 256 + input.byte() };
  return { size: rest + 1, distance: input.fixed((tag & 3) === 2 ? 2 : 4) };
}
