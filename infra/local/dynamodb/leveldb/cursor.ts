import { DamageError } from './damage.ts';

/** More groups of seven bits than this are no number that a file here can hold. */
const VARINT_BYTES_MAX = 8;

/** Reads LevelDB's encodings one after the other (util/coding.h). */
export class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new DamageError(`expected more than ${this.#bytes.length} bytes`);
    return byte;
  }

  varint(): number {
    let value = 0;
    for (let group = 0; group < VARINT_BYTES_MAX; group++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * group);
      if (byte < 0x80) return value;
    }
    throw new DamageError(`expected a number of at most ${VARINT_BYTES_MAX} bytes`);
  }

  /** In the order of Intel's processors. */
  fixed(size: number): number {
    let value = 0;
    for (let place = 0; place < size; place++) value += this.byte() * 2 ** (8 * place);
    return value;
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new DamageError(`expected ${end} bytes, got ${this.#bytes.length}`);
    }
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** Bytes after their number. */
  slice(): Buffer {
    return this.bytes(this.varint());
  }
}
