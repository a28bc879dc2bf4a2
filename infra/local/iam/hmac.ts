import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** Longer texts are no error, only slower. */
const TEXT_BYTES_MAX = 512;

/**
 * The check of signatures has HMAC of its own, as it has all of SigV4: see `sigv4.ts`.
 *
 * HMAC-SHA256 (RFC 2104) with a key that is used often: two one-shot hashes of about a microsecond together, where
 * `createHmac` takes 8 (Node 24).
 */
export class KeyedHash {
  readonly #inner = Buffer.alloc(BLOCK_BYTES + TEXT_BYTES_MAX);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

  constructor(key: string | Buffer) {
    const bytes = Buffer.from(key as string); // either; the types know it only one by one
    const block = bytes.length > BLOCK_BYTES ? hash('sha256', bytes, 'buffer') : bytes;
    for (let index = 0; index < BLOCK_BYTES; index++) {
      const byte = block[index] ?? 0;
      this.#inner[index] = byte ^ 0x36;
      this.#outer[index] = byte ^ 0x5c;
    }
  }

  sign(text: string, encoding: 'hex'): string;
  sign(text: string, encoding: 'buffer'): Buffer;
  sign(text: string, encoding: 'hex' | 'buffer'): string | Buffer {
    // As text a digest never becomes an object.
    this.#outer.write(hash('sha256', this.#innerBlock(text), 'binary'), BLOCK_BYTES, 'binary');
    return hash('sha256', this.#outer, encoding);
  }

  #innerBlock(text: string): Buffer {
    if (Buffer.byteLength(text) > TEXT_BYTES_MAX) {
      return Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(text)]);
    }
    return this.#inner.subarray(0, BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES));
  }
}
