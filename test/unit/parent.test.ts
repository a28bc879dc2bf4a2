import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { whenOrphaned } from '../../infra/local/parent.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells once that one of the ancestors has ended', () => {
  let ancestors = '12 11';
  let told = 0;
  whenOrphaned(
    () => told++,
    () => ancestors,
  );
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(0);
  ancestors = '12 1';
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(1);
});
