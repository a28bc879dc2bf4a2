import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, FrameReader } from '../../../infra/local/apigateway/frames.ts';
import { clientFrame, type FrameParts } from '../../support/web-socket-frames.ts';

const LIMIT = 32_768;
const PING = 0x9;
const BINARY = 0x2;
const CONTINUATION = 0x0;

const bytes = (length: number): Buffer => Buffer.alloc(length, 'x');
const frame = (length: number, parts: Partial<FrameParts> = {}): Buffer =>
  clientFrame({ payload: bytes(length), ...parts });

function readerOf(...chunks: Buffer[]): FrameReader {
  const reader = new FrameReader(LIMIT);
  for (const chunk of chunks) reader.read(chunk);
  return reader;
}

describe('the frame limit', () => {
  it.each([0, 1, 125, 126, 65_535 - 32_768, LIMIT])('lets a frame of %i bytes pass', (length) => {
    expect(readerOf(frame(length)).exceeded).toBe(false);
  });

  it.each([LIMIT + 1, 65_535, 65_536, 200_000])('reports a frame of %i bytes', (length) => {
    expect(readerOf(frame(length)).exceeded).toBe(true);
  });

  it('reports a frame from its header alone, before its payload comes', () => {
    expect(readerOf(frame(LIMIT + 1).subarray(0, 4)).exceeded).toBe(true);
  });

  it('reports a length beyond what a number can hold', () => {
    const header = Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    expect(readerOf(header).exceeded).toBe(true);
  });

  it('holds for binary and continuation frames too', () => {
    expect(readerOf(frame(LIMIT + 1, { opcode: BINARY })).exceeded).toBe(true);
    expect(readerOf(frame(1, { fin: false }), frame(LIMIT + 1, { opcode: CONTINUATION })).exceeded).toBe(
      true,
    );
  });

  it('is one of frames, not of the messages they make up', () => {
    const fragments = [
      frame(LIMIT, { fin: false }),
      frame(LIMIT, { fin: false, opcode: CONTINUATION }),
      frame(LIMIT, { opcode: CONTINUATION }),
    ];
    expect(readerOf(...fragments)).toMatchObject({ exceeded: false, messages: 1 });
  });

  it('stays reported', () => {
    expect(readerOf(frame(LIMIT + 1), frame(1))).toMatchObject({ exceeded: true, messages: 0 });
  });
});

describe('counting messages', () => {
  it('counts final data frames, not control frames between fragments', () => {
    const stream = [
      frame(1),
      frame(5, { fin: false }),
      frame(3, { opcode: PING }),
      frame(5, { opcode: CONTINUATION }),
    ];
    expect(readerOf(...stream).messages).toBe(2);
  });

  it('counts those ahead of the frame over the limit, in one chunk with it', () => {
    const reader = readerOf(Buffer.concat([frame(1), frame(2), frame(LIMIT + 1), frame(3)]));
    expect(reader).toMatchObject({ exceeded: true, messages: 2 });
  });
});

it('reads the same from a stream however it is cut into chunks', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.nat({ max: 2_500 }), { maxLength: 30 });
  fc.assert(
    fc.property(lengths, cuts, fc.boolean(), (payloads, at, masked) => {
      const stream = Buffer.concat(payloads.map((length) => frame(length, { masked })));
      const edges = [0, ...at.filter((edge) => edge < stream.length).sort((a, b) => a - b), stream.length];
      const reader = new FrameReader(200);
      for (const [index, edge] of edges.entries()) reader.read(stream.subarray(edges[index - 1] ?? 0, edge));
      const firstOver = payloads.findIndex((length) => length > 200);
      expect(reader.exceeded).toBe(firstOver >= 0);
      expect(reader.messages).toBe(firstOver >= 0 ? firstOver : payloads.length);
    }),
  );
});

describe('a message as a server sends it', () => {
  it.each([
    [0, '8100'],
    [125, '817d'],
    [126, '817e007e'],
    [LIMIT, '817e8000'],
  ])('is one frame up to the limit: %i bytes', (length, header) => {
    const message = encodeMessage(bytes(length), LIMIT);
    expect(message.toString('hex', 0, header.length / 2)).toBe(header);
    expect(message.subarray(header.length / 2)).toEqual(bytes(length));
  });

  it('has its length in 64 bits where 16 are too few', () => {
    const message = encodeMessage(bytes(65_536), 100_000);
    expect(message.toString('hex', 0, 10)).toBe('817f0000000000010000');
  });

  it('goes out in several frames beyond the limit, of which the last says so', () => {
    const message = encodeMessage(bytes(2 * LIMIT + 1), LIMIT);
    const second = LIMIT + 4;
    expect(message.toString('hex', 0, 4)).toBe('017e8000');
    expect(message.toString('hex', second, second + 4)).toBe('007e8000');
    expect(message.subarray(2 * second).toString('hex')).toBe('800178');
  });
});
