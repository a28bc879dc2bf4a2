/** WebSocket frames byte by byte (RFC 6455 §5.2), for tests that care how messages travel. */

export interface FrameParts {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** A frame as clients send it. The mask is zero, so that the payload shows as it is. */
export function clientFrame(parts: Partial<FrameParts>): Buffer {
  const { opcode = 0x1, fin = true, masked = true, payload = Buffer.alloc(0) } = parts;
  const first = (fin ? 0x80 : 0) | opcode;
  const maskBit = masked ? 0x80 : 0;
  const mask = masked ? Buffer.alloc(4) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([first]), lengthBytes(payload.length, maskBit), mask, payload]);
}

function lengthBytes(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([maskBit | length]);
  const bytes = Buffer.alloc(length < 65_536 ? 3 : 9);
  bytes.writeUInt8(maskBit | (length < 65_536 ? 126 : 127));
  if (length < 65_536) bytes.writeUInt16BE(length, 1);
  else bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

/** Takes the first frame off a stream of unmasked ones, if it is all there. */
export function takeServerFrame(stream: Buffer): { frame: FrameParts; rest: Buffer } | undefined {
  if (stream.length < 2) return undefined;
  const short = stream.readUInt8(1) & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (stream.length < start) return undefined;
  const length =
    short === 126 ? stream.readUInt16BE(2) : short === 127 ? Number(stream.readBigUInt64BE(2)) : short;
  if (stream.length < start + length) return undefined;
  const first = stream.readUInt8(0);
  const payload = stream.subarray(start, start + length);
  const masked = (stream.readUInt8(1) & 0x80) !== 0;
  return {
    frame: { opcode: first & 0x0f, fin: (first & 0x80) !== 0, masked, payload },
    rest: stream.subarray(start + length),
  };
}
