import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const TEXT_BYTES_MAX = 512;
const INNER = 0x36;
const OUTER = 0x5c;

/**
 * A key that signs many short texts with HMAC-SHA256 (RFC 2104). It is the hash of a hash, and `crypto.hash` makes two of
 * those in half the time that `createHmac` takes to set up its objects.
 */
export class HmacKey {
  /** The key's block, followed by space for the text. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + TEXT_BYTES_MAX, INNER);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, OUTER);

  /** A longer key is hashed first (RFC 2104); only a long secret can be one. */
  constructor(key: Buffer) {
    const block = key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : key;
    for (const [index, byte] of block.entries()) {
      this.#inner[index] = byte ^ INNER;
      this.#outer[index] = byte ^ OUTER;
    }
  }

  /** Signs at most 512 characters of Latin-1. */
  sign(text: string): Buffer;
  sign(text: string, encoding: 'hex'): string;
  sign(text: string, encoding: 'hex' | 'buffer' = 'buffer'): string | Buffer {
    if (text.length > TEXT_BYTES_MAX)
      throw new RangeError(`expected at most ${TEXT_BYTES_MAX} bytes to sign`);
    const length = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES, 'latin1');
    // As text: a Buffer for every digest would take longer.
    const inner = hash('sha256', this.#inner.subarray(0, length), 'binary');
    this.#outer.write(inner, BLOCK_BYTES, 'binary');
    return encoding === 'hex' ? hash('sha256', this.#outer) : hash('sha256', this.#outer, 'buffer');
  }
}
