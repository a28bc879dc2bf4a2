import { describe, expect, it } from 'vitest';
import { Memory } from '../../shared/delivery/memory.ts';
import { createPatience } from '../../shared/delivery/patience.ts';

const POST_TIMEOUT_MS = 5_000;

function patient(postTimeoutMs = POST_TIMEOUT_MS) {
  let nowMs = 0;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { patience: createPatience({ postTimeoutMs, now: () => nowMs }), pass };
}

describe('the grace', () => {
  it('is half a second before anything is known, and never more than a post may take', () => {
    expect(patient().patience.graceMs('a')).toBe(500);
    expect(patient(200).patience.graceMs('a')).toBe(200);
  });

  it('is longer where posts are given more time', () => {
    expect(patient(60_000).patience.graceMs('a')).toBe(6_000);
  });

  it('follows the answers of the endpoint, and is never shorter than half a second', () => {
    const { patience } = patient();
    for (let n = 0; n < 100; n++) patience.noteAnswer(10);
    expect(patience.graceMs('a')).toBe(500);
    for (let n = 0; n < 100; n++) patience.noteAnswer(n % 2 === 0 ? 700 : 900);
    expect(patience.graceMs('a')).toBeGreaterThan(1_100);
    expect(patience.graceMs('a')).toBeLessThan(1_500);
    for (let n = 0; n < 100; n++) patience.noteAnswer(4_000);
    expect(patience.graceMs('a')).toBeLessThan(POST_TIMEOUT_MS);
  });

  it('is not raised by one connection that hangs, or by a few among many', () => {
    const { patience, pass } = patient();
    for (let second = 0; second < 60; second++) {
      for (let n = 0; n < 1_000; n++) patience.noteAnswer(10);
      for (let n = 0; n < 10; n++) patience.noteExcess(`hung ${n}`);
      for (let n = 0; n < 500; n++) patience.noteExcess('hung');
      pass(1_000);
    }
    expect(patience.graceMs('a')).toBe(500);
  });

  it('doubles while the endpoint as a whole is slow, and comes back afterwards', () => {
    const { patience, pass } = patient();
    const second = (slow: number, fast: number) => {
      for (let n = 0; n < slow; n++) patience.noteExcess(`${n}`);
      for (let n = 0; n < fast; n++) patience.noteAnswer(10);
      pass(1_000);
    };
    second(0, 100);
    const graces: number[] = [];
    for (const slow of [50, 50, 50, 0, 0, 0, 0]) {
      second(slow, 100);
      graces.push(patience.graceMs('a'));
    }
    // What a second was like is known when the next begins.
    expect(graces).toEqual([500, 1_000, 2_000, 4_000, 2_000, 1_000, 500]);
  });

  it.each([
    [10, 40, 500],
    [11, 40, 1_000],
    [9, 0, 500],
  ])(
    'where %d connections exceed it and %d posts are answered in a second is %d ms in the next',
    (slow, fast, ms) => {
      const { patience, pass } = patient();
      for (let n = 0; n < slow; n++) patience.noteExcess(`${n}`);
      for (let n = 0; n < fast; n++) patience.noteAnswer(10);
      pass(1_000);
      patience.noteAnswer(10);
      expect(patience.graceMs('a')).toBe(ms);
    },
  );
});

describe('connections that exceed the grace', () => {
  it('are served apart for two seconds, and for a minute when it was not the first time', () => {
    const { patience, pass } = patient();
    const hangs = () => patience.hangs('a');
    patience.noteExcess('a');
    expect([hangs(), patience.hangs('b')]).toEqual([true, false]);
    pass(2_000);
    expect(hangs()).toBe(false);
    pass(50_000);
    patience.noteExcess('a');
    pass(59_999);
    expect(hangs()).toBe(true);
    pass(1);
    expect(hangs()).toBe(false);
  });

  it.each([
    [119_999, true],
    [120_000, false],
  ])('and do so again after %d ms count as doing so for the second time: %s', (laterMs, isSecond) => {
    const { patience, pass } = patient();
    patience.noteExcess('a');
    pass(laterMs);
    patience.noteExcess('a');
    pass(2_000);
    expect(patience.hangs('a')).toBe(isSecond);
  });

  it('have less time when they are tried again', () => {
    const { patience, pass } = patient();
    for (let n = 0; n < 100; n++) patience.noteAnswer(10);
    patience.noteExcess('a');
    pass(2_000);
    expect([patience.graceMs('a'), patience.graceMs('b')]).toEqual([100, 500]);
    pass(117_999);
    expect(patience.graceMs('a')).toBe(100);
    pass(1);
    expect(patience.graceMs('a')).toBe(500);
  });

  it('are not blamed when it was the endpoint that was slow', () => {
    const { patience, pass } = patient();
    for (let n = 0; n < 20; n++) patience.noteExcess(`${n}`);
    expect(patience.hangs('7')).toBe(true);
    pass(1_000);
    patience.noteAnswer(10);
    expect(patience.hangs('7')).toBe(false);
  });
});

it('knows for some seconds why a connection was given up', () => {
  const { patience, pass } = patient();
  patience.noteUnanswered('a', 'no answer');
  pass(3_999);
  expect([patience.whyUnanswered('a'), patience.whyUnanswered('b')]).toEqual(['no answer', undefined]);
  pass(1);
  expect(patience.whyUnanswered('a')).toBeUndefined();
});

it('keeps no more than it may, the newest', () => {
  const memory = new Memory<number>(() => 0, 2);
  for (const [index, key] of ['a', 'b', 'a', 'c'].entries()) memory.keep(key, index, 1);
  expect(['a', 'b', 'c'].map((key) => memory.recall(key))).toEqual([2, undefined, 3]);
});
