/** The longest header up to where the payload length is known: 2 bytes and a 64-bit length (RFC 6455 §5.2). */
const LENGTH_HEADER_BYTES_MAX = 10;
const MASK_BYTES = 4;
const FIRST_CONTROL_OPCODE = 0x8;

/**
 * Reads the frame headers of one client's byte stream to find a data frame over the limit, which `ws` cannot:
 * it bounds whole messages only. It skips payloads and checks nothing else; `ws` refuses malformed frames.
 */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #header = Buffer.alloc(LENGTH_HEADER_BYTES_MAX);
  #headerBytes = 0;
  /** Mask and payload bytes of the present frame that are still to come. */
  #bytesToSkip = 0;
  #messages = 0;
  #exceeded = false;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Messages whose last frame has begun, not counting from the frame over the limit on. */
  get messages(): number {
    return this.#messages;
  }

  /** A frame over the limit has begun. The reader stops there for good. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#exceeded) {
      at += this.#bytesToSkip > 0 ? this.#skip(chunk.length - at) : this.#readHeaderByte(chunk.readUInt8(at));
    }
  }

  #skip(available: number): number {
    const skipped = Math.min(this.#bytesToSkip, available);
    this.#bytesToSkip -= skipped;
    return skipped;
  }

  #readHeaderByte(byte: number): number {
    this.#header[this.#headerBytes] = byte;
    this.#headerBytes += 1;
    if (this.#headerBytes === headerBytes(this.#header, this.#headerBytes)) this.#beginFrame();
    return 1;
  }

  #beginFrame(): void {
    const isData = (this.#header.readUInt8(0) & 0x0f) < FIRST_CONTROL_OPCODE;
    const isFinal = (this.#header.readUInt8(0) & 0x80) !== 0;
    const isMasked = (this.#header.readUInt8(1) & 0x80) !== 0;
    const payloadBytes = payloadLength(this.#header);
    this.#headerBytes = 0;
    this.#exceeded = isData && payloadBytes > this.#frameBytesMax;
    if (this.#exceeded) return;
    if (isData && isFinal) this.#messages += 1;
    this.#bytesToSkip = payloadBytes + (isMasked ? MASK_BYTES : 0);
  }
}

const shortLength = (header: Buffer): number => header.readUInt8(1) & 0x7f;

/** Of a header of which `known` bytes are read: the second byte says how many there are. */
function headerBytes(header: Buffer, known: number): number {
  if (known < 2) return 2;
  if (shortLength(header) === 126) return 4;
  return shortLength(header) === 127 ? 10 : 2;
}

function payloadLength(header: Buffer): number {
  if (shortLength(header) === 126) return header.readUInt16BE(2);
  return shortLength(header) === 127 ? Number(header.readBigUInt64BE(2)) : shortLength(header);
}

const CONTINUATION = 0x0;
const TEXT = 0x1;
const FINAL = 0x80;

/**
 * A message as a server sends it, in frames of up to so many bytes, in one piece: `ws` would hand the socket two for
 * each frame. Frames may split a character, RFC 6455 §5.4 allows it: the client sees one message.
 */
export function encodeMessage(text: Buffer, frameBytesMax: number): Buffer {
  if (text.length <= frameBytesMax) return encodeFrame(text, TEXT | FINAL);
  const frames: Buffer[] = [];
  for (let start = 0; start < text.length; start += frameBytesMax) {
    const opcode = start === 0 ? TEXT : CONTINUATION;
    const end = start + frameBytesMax;
    frames.push(encodeFrame(text.subarray(start, end), end >= text.length ? opcode | FINAL : opcode));
  }
  return Buffer.concat(frames);
}

function encodeFrame(payload: Buffer, firstByte: number): Buffer {
  const { length } = payload;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : LENGTH_HEADER_BYTES_MAX;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = firstByte;
  if (headerLength === 2) {
    frame[1] = length;
  } else if (headerLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  payload.copy(frame, headerLength);
  return frame;
}
