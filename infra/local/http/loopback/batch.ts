/**
 * What sockets between two threads send each other, as bytes: many segments in one message, because a message costs
 * more than what is in it (`npm run bench -- system`, see `dial.ts`).
 */
export const Segment = { data: 0, end: 1, close: 2 } as const;
/** `end`: nothing more comes from there. `close`: nothing is read there any more. */
export type Segment = (typeof Segment)[keyof typeof Segment];

/** A socket's number, then the payload's length and the kind. */
const HEADER_BYTES = 8;
const KIND_BITS = 2;
const KIND_MASK = (1 << KIND_BITS) - 1;
/** So that the other thread has something to do while this one goes on. */
const SEGMENTS_MAX = 64;
const ROOM_BYTES = 64 * 1024;
/** More than that is given back after use. */
const ROOM_KEPT_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Gathers segments until the end of the present tick, or until they are enough, and posts them together. */
export class Outbox {
  readonly #post: (batch: ArrayBuffer) => void;
  #room = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #used = 0;
  #segments = 0;

  constructor(post: (batch: ArrayBuffer) => void) {
    this.#post = post;
  }

  /** Copies the bytes, so that they may change afterwards. */
  add(socket: number, kind: Segment, bytes: Uint8Array = NOTHING): void {
    if (this.#used === 0) process.nextTick(() => this.flush());
    const end = this.#used + HEADER_BYTES + bytes.length;
    if (end > this.#room.length) this.#grow(end);
    this.#room.writeUInt32LE(socket, this.#used);
    this.#room.writeUInt32LE(((bytes.length << KIND_BITS) | kind) >>> 0, this.#used + 4);
    this.#room.set(bytes, this.#used + HEADER_BYTES);
    this.#used = end;
    if (++this.#segments === SEGMENTS_MAX) this.flush();
  }

  /** Not to wait for the end of the tick. */
  flush(): void {
    if (this.#used === 0) return;
    const { buffer, byteOffset, length } = this.#room;
    const batch = buffer.slice(byteOffset, byteOffset + this.#used) as ArrayBuffer;
    this.#used = 0;
    this.#segments = 0;
    if (length > ROOM_KEPT_BYTES) this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES);
    this.#post(batch);
  }

  #grow(length: number): void {
    const room = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#room.length));
    this.#room.copy(room, 0, 0, this.#used);
    this.#room = room;
  }
}

/** Segments in their order; the bytes are a view of the batch. */
export function readBatch(
  batch: ArrayBuffer,
  take: (socket: number, kind: Segment, bytes: Buffer) => void,
): void {
  const bytes = Buffer.from(batch);
  for (let at = 0; at < bytes.length; ) {
    const start = at + HEADER_BYTES;
    const word = bytes.readUInt32LE(at + 4);
    const socket = bytes.readUInt32LE(at);
    at = start + (word >>> KIND_BITS);
    take(socket, (word & KIND_MASK) as Segment, bytes.subarray(start, at));
  }
}
