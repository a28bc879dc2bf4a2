import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../../shared/client/stream.ts';
import type { Position } from '../../../shared/protocol/frames.ts';
import { range } from './harness.ts';

const at = (offset: number, epoch = 'a') => ({ epoch, offset });
const offsetsOf = (entries: readonly Position[]) => entries.map(({ offset }) => offset);

function streamAt(offset: number, heldMax = 100): Stream<Position> {
  const stream = new Stream<Position>(heldMax);
  stream.cover(undefined, at(offset), []);
  return stream;
}

describe('live entries', () => {
  it('gives out what follows on the position, at once', () => {
    const stream = streamAt(4);
    expect(offsetsOf(stream.add(at(5)))).toEqual([5]);
    expect(stream.position).toEqual(at(5));
    expect(stream.gap).toBe(false);
  });

  it('holds what comes too early until the rest is there', () => {
    const stream = streamAt(4);
    expect(stream.add(at(7))).toEqual([]);
    expect(stream.add(at(6))).toEqual([]);
    expect(stream.gap).toBe(true);
    expect(offsetsOf(stream.add(at(5)))).toEqual([5, 6, 7]);
    expect(stream.gap).toBe(false);
  });

  it('gives nothing out twice', () => {
    const stream = streamAt(4);
    stream.add(at(5));
    expect(stream.add(at(5))).toEqual([]);
    expect(stream.add(at(3))).toEqual([]);
    stream.add(at(7));
    stream.add(at(7));
    expect(offsetsOf(stream.add(at(6)))).toEqual([6, 7]);
  });

  it('moves on over what is skipped, without giving it out', () => {
    const stream = streamAt(4);
    expect(stream.add({ ...at(5), skipped: true })).toEqual([]);
    expect(stream.position).toEqual(at(5));
    stream.add({ ...at(7), skipped: true });
    expect(offsetsOf(stream.add(at(6)))).toEqual([6]);
    expect(stream.position).toEqual(at(7));
  });

  it('holds so many and no more, and still knows that there is a gap', () => {
    const stream = streamAt(0, 2);
    for (const offset of [3, 4, 5]) stream.add(at(offset));
    expect(offsetsOf(stream.cover(at(0), at(2), [at(1), at(2)]))).toEqual([1, 2, 3, 4]);
    expect(stream.gap).toBe(true);
    expect(offsetsOf(stream.add(at(5)))).toEqual([5]);
    expect(stream.gap).toBe(false);
  });

  it('takes the next one even if it holds as many as it may', () => {
    const stream = streamAt(0, 2);
    for (const offset of [2, 3]) stream.add(at(offset));
    expect(offsetsOf(stream.add(at(1)))).toEqual([1, 2, 3]);
  });

  it('has room again for what it has given out', () => {
    const stream = streamAt(4, 1);
    for (const offset of [6, 5, 8]) stream.add(at(offset));
    expect(offsetsOf(stream.add(at(7)))).toEqual([7, 8]);
  });

  it('holds everything before the first answer', () => {
    const stream = new Stream<Position>(100);
    expect(stream.add(at(42))).toEqual([]);
    expect(stream.add(at(41))).toEqual([]);
    expect(stream.gap).toBe(false);
    expect(offsetsOf(stream.cover(undefined, at(41), [at(40), at(41)]))).toEqual([40, 41, 42]);
  });
});

describe('what the server says', () => {
  it('fills a gap from history, tombstones included', () => {
    const stream = streamAt(4);
    stream.add(at(9));
    expect(offsetsOf(stream.cover(at(4), at(8), [at(5), at(7)]))).toEqual([5, 7, 9]);
    expect(stream.position).toEqual(at(9));
  });

  it('does not give out again what came live while it was asked', () => {
    const stream = streamAt(4);
    for (const offset of [5, 6]) stream.add(at(offset));
    expect(offsetsOf(stream.cover(at(4), at(7), [at(5), at(6), at(7)]))).toEqual([7]);
    expect(offsetsOf(stream.cover(at(4), at(5), [at(5)]))).toEqual([]);
    expect(stream.position).toEqual(at(7));
  });

  it('gives out what came live and is too late for the page, in its place', () => {
    const stream = streamAt(4);
    for (const offset of [6, 8, 10]) stream.add(at(offset));
    expect(offsetsOf(stream.cover(at(4), at(9), [at(7), at(8)]))).toEqual([6, 7, 8, 10]);
    expect(stream.gap).toBe(false);
  });

  it('gives nothing out of what it holds if the server says that it is skipped', () => {
    const stream = streamAt(4);
    stream.add(at(6));
    expect(stream.cover(at(4), at(6), [{ ...at(6), skipped: true }])).toEqual([]);
  });

  it('does not take a replay that begins elsewhere for the whole of what it missed', () => {
    const stream = streamAt(4);
    expect(stream.cover(undefined, at(60), [at(59), at(60)])).toEqual([]);
    expect(stream.position).toEqual(at(4));
    expect(stream.gap).toBe(true);
    expect(offsetsOf(stream.cover(at(4), at(60), [at(5), at(59), at(60)]))).toEqual([5, 59, 60]);
  });

  it('gives out nothing for what a page says is skipped', () => {
    const stream = streamAt(4);
    expect(offsetsOf(stream.cover(at(4), at(6), [at(5), { ...at(6), skipped: true }]))).toEqual([5]);
  });

  it('has room again for what the server has covered', () => {
    const stream = streamAt(4, 2);
    for (const offset of [6, 8]) stream.add(at(offset));
    stream.cover(at(4), at(8), [at(5), at(6), at(7), at(8)]);
    for (const offset of [10, 11]) stream.add(at(offset));
    expect(offsetsOf(stream.add(at(9)))).toEqual([9, 10, 11]);
  });

  it('goes on after what is lost, with what it held', () => {
    const stream = streamAt(4);
    for (const offset of [9, 20, 21]) stream.add(at(offset));
    expect(offsetsOf(stream.lose(at(4), at(19)) ?? [])).toEqual([20, 21]);
    expect(stream.gap).toBe(false);
  });

  it('still misses what is between the loss and what it holds', () => {
    const stream = streamAt(4);
    stream.add(at(20));
    expect(stream.lose(at(4), at(12))).toEqual([]);
    expect(stream.gap).toBe(true);
    expect(offsetsOf(stream.cover(at(12), at(19), [at(13)]))).toEqual([13, 20]);
  });

  it('loses nothing if it got further in the meantime, but wants the rest', () => {
    const stream = streamAt(4);
    stream.add(at(5));
    expect(stream.lose(at(4), at(5))).toBeUndefined();
    expect(stream.gap).toBe(false);
    expect(stream.lose(at(4), at(7))).toBeUndefined();
    expect(stream.position).toEqual(at(5));
    expect(stream.gap).toBe(true);
  });

  it('goes back if the log is shorter than it thought', () => {
    const stream = streamAt(40);
    stream.saw(at(41));
    expect(stream.lose(at(40), at(30))).toEqual([]);
    expect(stream.gap).toBe(false);
    expect(offsetsOf(stream.add(at(31)))).toEqual([31]);
  });

  it('knows of a gap that only a ping told it of', () => {
    const stream = streamAt(4);
    stream.saw(at(4));
    expect(stream.gap).toBe(false);
    stream.saw(at(6));
    expect(stream.gap).toBe(true);
    stream.cover(at(4), at(6), []);
    expect(stream.gap).toBe(false);
  });
});

describe('another epoch', () => {
  it('gives nothing of it out before the server has said so', () => {
    const stream = streamAt(4);
    expect(stream.add(at(1, 'b'))).toEqual([]);
    expect(stream.add(at(5, 'b'))).toEqual([]);
    expect(stream.gap).toBe(true);
    expect(offsetsOf(stream.lose(at(4), at(4, 'b')) ?? [])).toEqual([5]);
    expect(stream.position).toEqual(at(5, 'b'));
    expect(stream.gap).toBe(false);
  });

  it('ignores what comes late from the one before', () => {
    const stream = streamAt(4);
    stream.lose(at(4), at(0, 'b'));
    expect(stream.add(at(5))).toEqual([]);
    stream.saw(at(9));
    expect(stream.gap).toBe(false);
  });

  it('takes part in the one before again if the server goes back to it', () => {
    const stream = streamAt(4);
    stream.lose(at(4), at(0, 'b'));
    stream.lose(at(0, 'b'), at(7));
    expect(offsetsOf(stream.add(at(8)))).toEqual([8]);
  });

  it('forgets it if the server stays with the old one', () => {
    const stream = streamAt(4);
    stream.add(at(1, 'b'));
    stream.cover(at(4), at(4), []);
    expect(stream.gap).toBe(false);
  });

  it('says where to go on when the server says nothing', () => {
    const stream = streamAt(4);
    expect(stream.beyondGap).toBeUndefined();
    stream.saw(at(12));
    expect(stream.beyondGap).toEqual(at(12));
    stream.add(at(9));
    expect(stream.beyondGap).toEqual(at(8));
    stream.add(at(3, 'b'));
    expect(stream.beyondGap).toEqual(at(2, 'b'));
  });
});

/**
 * The world of the properties: a log of `size` entries, some of them tombstones, some skipped, of which each live frame
 * arrives 0, 1 or 2 times in any order, between answers of the server to positions that may be old by then.
 */
const LOG_MAX = 40;
const worlds = fc.record({
  size: fc.integer({ min: 1, max: LOG_MAX }),
  start: fc.nat({ max: 5 }),
  tombstones: fc.uniqueArray(fc.integer({ min: 1, max: LOG_MAX }), { maxLength: 6 }),
  skipped: fc.uniqueArray(fc.integer({ min: 1, max: LOG_MAX }), { maxLength: 6 }),
  heldMax: fc.constantFrom(1, 3, 1000),
  steps: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ live: fc.integer({ min: 1, max: LOG_MAX }) }) },
      { weight: 1, arbitrary: fc.constant('ask' as const) },
      { weight: 1, arbitrary: fc.record({ answer: fc.nat({ max: 3 }), upTo: fc.nat({ max: LOG_MAX }) }) },
    ),
    { maxLength: 150 },
  ),
});

describe('any interleaving of live frames and answers', () => {
  it('gives out every message once and in order, once the last gap has been asked for', () => {
    fc.assert(
      fc.property(worlds, ({ size, start, tombstones, skipped, heldMax, steps }) => {
        const isMessage = (offset: number) => !tombstones.includes(offset) && !skipped.includes(offset);
        const stream = new Stream<Position>(heldMax);
        const given: number[] = [];
        const give = (entries: readonly Position[]) => given.push(...offsetsOf(entries));
        const answer = (from: Position, to: number) => {
          const entries = range(from.offset + 1, to).filter(isMessage);
          give(
            stream.cover(
              from,
              at(Math.max(to, from.offset)),
              entries.map((offset) => at(offset)),
            ),
          );
        };
        const first = Math.min(start, size);
        const asked: Position[] = [];
        give(stream.cover(undefined, at(first), []));
        for (const step of steps) {
          if (step === 'ask') {
            asked.push(stream.position ?? at(0));
          } else if ('answer' in step) {
            const [from] = asked.splice(step.answer % (asked.length || 1), 1);
            if (from) answer(from, Math.min(step.upTo, size));
          } else if (step.live <= size && !tombstones.includes(step.live)) {
            give(stream.add({ ...at(step.live), ...(skipped.includes(step.live) && { skipped: true }) }));
          }
        }
        stream.saw(at(size));
        if (stream.gap) answer(stream.position ?? at(0), size);
        expect(given).toEqual(range(first + 1, size).filter(isMessage));
        expect(stream.position).toEqual(at(size));
        expect(stream.gap).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('says of every message that it was given out or lost, never both, if the log is trimmed and begins anew', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ live: fc.nat({ max: 5 }) }) },
      { weight: 8, arbitrary: fc.constant('publish' as const) },
      { weight: 1, arbitrary: fc.constant('trim' as const) },
      { weight: 1, arbitrary: fc.constant('anew' as const) },
      { weight: 3, arbitrary: fc.constant('ask' as const) },
      { weight: 3, arbitrary: fc.constant('answered' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const stream = new Stream<Position>(5);
        const log = { epoch: 'e0', first: 1, newest: 0 };
        const wire: Position[] = [];
        const given: Position[] = [];
        const losses: { from: Position; to: Position }[] = [];
        let pending: (() => void) | undefined;
        const ask = () => {
          const from = stream.position ?? at(0, log.epoch);
          const to = at(log.newest, log.epoch);
          const isLost = from.epoch !== log.epoch || from.offset + 1 < log.first;
          const entries = isLost
            ? []
            : range(from.offset + 1, log.newest).map((offset) => at(offset, log.epoch));
          pending = () => {
            const before = stream.position ?? from;
            const ready = isLost ? stream.lose(from, to) : stream.cover(from, to, entries);
            if (isLost && ready) losses.push({ from: before, to });
            given.push(...(ready ?? []));
          };
        };
        const answered = () => {
          pending?.();
          pending = undefined;
        };
        stream.cover(undefined, at(0, log.epoch), []);
        for (const each of steps) {
          if (each === 'publish') wire.push(at(++log.newest, log.epoch));
          else if (each === 'trim') log.first = log.newest;
          else if (each === 'anew') Object.assign(log, { epoch: `${log.epoch}'`, first: 1, newest: 0 });
          else if (each === 'ask') ask();
          else if (each === 'answered') answered();
          else given.push(...wire.splice(each.live, 1).flatMap((entry) => stream.add(entry)));
        }
        answered();
        stream.saw(at(log.newest, log.epoch));
        for (let tries = 0; (stream.gap || stream.position?.epoch !== log.epoch) && tries < 3; tries++) {
          ask();
          answered();
        }
        expect(stream.position).toEqual(at(log.newest, log.epoch));
        expect(accountOf(given, losses)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

/** Every place where what was given out does not follow on what was given out or lost before it. */
function accountOf(
  given: readonly Position[],
  losses: readonly { from: Position; to: Position }[],
): string[] {
  const faults: string[] = [];
  const rest = [...losses];
  let position: Position = at(0, 'e0');
  for (const entry of given) {
    while (rest[0] && (position.epoch !== entry.epoch || entry.offset !== position.offset + 1)) {
      const { from, to } = rest.shift() ?? { from: position, to: position };
      if (from.epoch !== position.epoch || from.offset !== position.offset)
        faults.push('a loss out of place');
      position = to;
    }
    if (position.epoch !== entry.epoch || entry.offset !== position.offset + 1) {
      faults.push(`${JSON.stringify(entry)} after ${JSON.stringify(position)}`);
    }
    position = entry;
  }
  return faults;
}
