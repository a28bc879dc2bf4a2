import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox, readBatch, Segment } from '../../../infra/local/http/loopback/batch.ts';

interface Sent {
  readonly socket: number;
  readonly kind: Segment;
  readonly bytes: Buffer;
}

/** An outbox and what it posted, which went away as with a real port: the outbox cannot touch it any more. */
function openOutbox(): { outbox: Outbox; posted: ArrayBuffer[] } {
  const posted: ArrayBuffer[] = [];
  const outbox = new Outbox((batch) => posted.push(structuredClone(batch, { transfer: [batch] })));
  return { outbox, posted };
}

function read(batch: ArrayBuffer): Sent[] {
  const sent: Sent[] = [];
  readBatch(batch, (socket, kind, bytes) => sent.push({ socket, kind, bytes }));
  return sent;
}

const sizesOf = (posted: readonly ArrayBuffer[]): number[] => posted.map((batch) => read(batch).length);

const endOfTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

const KIB = 1024;
const UINT32_MAX = 0xffff_ffff;
const DATA = Buffer.from('data');

const segment = fc.record({
  socket: fc.oneof(fc.nat({ max: 100 }), fc.integer({ min: 0, max: UINT32_MAX })),
  kind: fc.constantFrom(...Object.values(Segment)),
  bytes: fc
    .tuple(
      fc.oneof(
        { weight: 10, arbitrary: fc.nat({ max: 2 * KIB }) },
        { weight: 1, arbitrary: fc.nat({ max: 200 * KIB }) },
      ),
      fc.uint8Array({ minLength: 3, maxLength: 7 }),
    )
    .map(([size, pattern]) => Buffer.alloc(size, pattern)),
  next: fc.constantFrom('more', 'more', 'more', 'more', 'flush', 'tick'),
});

describe('an outbox', () => {
  it('posts what reads back as the same segments in their order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { maxLength: 150, size: 'max' }), async (segments) => {
        const { outbox, posted } = openOutbox();
        for (const { socket, kind, bytes, next } of segments) {
          const scratch = Buffer.from(bytes);
          outbox.add(socket, kind, scratch);
          scratch.fill(0); // they were copied
          if (next === 'flush') outbox.flush();
          if (next === 'tick') await endOfTick();
        }
        await endOfTick();
        const sent = posted.flatMap(read);
        expect(sent.length).toBe(segments.length);
        for (const [index, { socket, kind, bytes }] of segments.entries()) {
          expect(sent[index]).toMatchObject({ socket, kind });
          expect(sent[index]?.bytes.equals(bytes)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('posts at the end of the tick, all of it at once', async () => {
    const { outbox, posted } = openOutbox();
    outbox.add(1, Segment.data, DATA);
    outbox.add(2, Segment.end);
    expect(posted).toEqual([]);
    await endOfTick();
    expect(posted.map(read)).toEqual([
      [
        { socket: 1, kind: Segment.data, bytes: DATA },
        { socket: 2, kind: Segment.end, bytes: Buffer.alloc(0) },
      ],
    ]);
  });

  it('posts anew in every tick', async () => {
    const { outbox, posted } = openOutbox();
    for (const socket of [1, 2, 3]) {
      outbox.add(socket, Segment.data, DATA);
      await endOfTick();
    }
    expect(sizesOf(posted)).toEqual([1, 1, 1]);
  });

  it('does not wait for the end of the tick with 64 segments', async () => {
    const { outbox, posted } = openOutbox();
    for (let socket = 0; socket < 150; socket++) outbox.add(socket, Segment.data, DATA);
    expect(sizesOf(posted)).toEqual([64, 64]);
    await endOfTick();
    expect(sizesOf(posted)).toEqual([64, 64, 22]);
    expect(posted.flatMap(read).map(({ socket }) => socket)).toEqual([...Array(150).keys()]);
  });

  it('is flushed at once, and has nothing left for the end of the tick', async () => {
    const { outbox, posted } = openOutbox();
    outbox.add(1, Segment.close);
    outbox.flush();
    expect(sizesOf(posted)).toEqual([1]);
    outbox.flush();
    await endOfTick();
    expect(sizesOf(posted)).toEqual([1]);
  });

  it('posts nothing when there is nothing', () => {
    const { outbox, posted } = openOutbox();
    outbox.flush();
    expect(posted).toEqual([]);
  });

  it('posts no more than was added, however much room it took before', () => {
    const { outbox, posted } = openOutbox();
    outbox.add(1, Segment.data, Buffer.alloc(3 * KIB * KIB));
    outbox.flush();
    outbox.add(2, Segment.data, DATA);
    outbox.flush();
    expect(posted.map((batch) => batch.byteLength)).toEqual([3 * KIB * KIB + 8, DATA.length + 8]);
  });
});

it('reads bytes without copying them', () => {
  const { outbox, posted } = openOutbox();
  outbox.add(1, Segment.data, DATA);
  outbox.flush();
  const [batch] = posted as [ArrayBuffer];
  expect(read(batch)[0]?.bytes.buffer).toBe(batch);
});
