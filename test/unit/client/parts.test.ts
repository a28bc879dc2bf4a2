import { afterEach, describe, expect, it, vi } from 'vitest';
import { Emitter } from '../../../shared/client/emitter.ts';
import { FanwireError, type FanwireErrorCode } from '../../../shared/client/index.ts';
import { Recent } from '../../../shared/client/recent.ts';
import { Timers } from '../../../shared/client/timers.ts';
import { KEY_WINDOW_MS } from '../../../shared/protocol/frames.ts';
import { Clock } from './clock.ts';

describe('an error', () => {
  it('is temporary or not by its code, unless it is said', () => {
    const temporary: FanwireErrorCode[] = [
      'unavailable',
      'internal',
      'timeout',
      'disconnected',
      'queue_full',
    ];
    const final: FanwireErrorCode[] = [
      'forbidden',
      'bad_request',
      'too_large',
      'limit_exceeded',
      'closed',
      'lost',
    ];
    for (const code of temporary) expect(new FanwireError(code, 'x').temporary).toBe(true);
    for (const code of final) expect(new FanwireError(code, 'x').temporary).toBe(false);
    expect(new FanwireError('forbidden', 'for now', { temporary: true }).temporary).toBe(true);
  });
});

describe('ids seen of late', () => {
  it('keeps the id whose time began anew, and forgets an older one', () => {
    let nowMs = 0;
    const recent = new Recent(() => nowMs, 2);
    recent.add('a', '1');
    recent.add('b', '1');
    nowMs = KEY_WINDOW_MS + 1;
    expect(recent.add('a', '2')).toBe(true);
    expect(recent.add('c', '1')).toBe(true);
    expect(recent.add('a', '3')).toBe(false);
  });

  it('are so many and no more', () => {
    const recent = new Recent(() => 0, 2);
    expect(['a', 'b', 'a', 'c', 'b', 'a'].map((id) => recent.add(id))).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  it('of another publication are new 5 minutes after the first came, and those of the same one never', () => {
    let nowMs = 0;
    const recent = new Recent(() => nowMs);
    const added = [
      [0, 'first'],
      [4, 'again'],
      [5, 'again'],
      [5.01, 'first'],
      [5.01, 'second'],
      [5.02, 'first'],
      [10.01, 'third'],
      [10.02, 'third'],
      [10.02, 'fourth'],
      [99, 'fourth'],
    ] as const;
    const news = added.filter(([minute, publishedAt]) => {
      nowMs = minute * 60_000;
      return recent.add('a', publishedAt);
    });
    expect(news).toEqual([
      [0, 'first'],
      [5.01, 'second'],
      [10.02, 'fourth'],
    ]);
  });

  it('are the same for good if no time is said', () => {
    let nowMs = 0;
    const recent = new Recent(() => nowMs);
    expect(recent.add('a')).toBe(true);
    nowMs = 1e9;
    expect([recent.add('a'), recent.add('b')]).toEqual([false, true]);
  });
});

describe('timers', () => {
  it('end together, those that still run', async () => {
    const clock = new Clock();
    const cleared: unknown[] = [];
    const timers = new Timers({ setTimeout: clock.setTimeout, clearTimeout: (timer) => cleared.push(timer) });
    const ran: string[] = [];
    timers.after(10, () => ran.push('a'));
    timers.after(20, () => ran.push('b'));
    await clock.advance(15);
    timers.clear();
    expect(ran).toEqual(['a']);
    expect(cleared.length).toBe(1);
  });
});

describe('handlers', () => {
  afterEach(() => vi.restoreAllMocks());

  it('may be taken off, and given twice', () => {
    const emitter = new Emitter<{ error: FanwireError; it: number }>();
    const seen: number[] = [];
    const note = (n: number) => seen.push(n);
    const off = emitter.on('it', note);
    emitter.on('it', note);
    emitter.emit('it', 1);
    off();
    emitter.emit('it', 2);
    expect(seen).toEqual([1, 1, 2]);
  });

  it('all hear of one thing before any hears of the next', () => {
    const emitter = new Emitter<{ error: FanwireError; it: number }>();
    const seen: string[] = [];
    emitter.on('it', (n) => {
      seen.push(`a${n}`);
      if (n < 3) emitter.emit('it', n + 1);
      if (n === 2) off();
    });
    emitter.on('it', (n) => seen.push(`b${n}`));
    const off = emitter.on('it', (n) => seen.push(`c${n}`));
    emitter.emit('it', 1);
    expect(seen).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'b3']);
  });

  it('do not stop each other, and an error that nobody handles goes to the console', () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const emitter = new Emitter<{ error: FanwireError; it: number }>();
    const seen: number[] = [];
    const mine = new Error('mine');
    emitter.on('it', () => {
      throw mine;
    });
    emitter.on('it', (n) => seen.push(n));
    emitter.emit('it', 1);
    expect(seen).toEqual([1]);
    expect(said.mock.calls).toMatchObject([[{ code: 'handler_failed', cause: mine }]]);
    emitter.on('error', () => {
      throw mine;
    });
    emitter.emit('it', 2);
    expect(said.mock.calls.length).toBe(2);
  });
});
