import { expect, it } from 'vitest';
import { JumpingClock } from './clock.ts';

const HOUR_MS = 60 * 60 * 1000;

it('runs with real time', async () => {
  const clock = new JumpingClock();
  const before = clock.now();
  await new Promise<void>((resolve) => clock.after(10, resolve));
  expect(clock.now() - before).toBeGreaterThanOrEqual(9); // timers and the wall clock round differently
});

it('jumps, and runs what falls due on the way, each at its time', () => {
  const clock = new JumpingClock();
  const start = clock.now();
  const ran: [string, number][] = [];
  const note = (name: string) => () => ran.push([name, Math.round((clock.now() - start) / HOUR_MS)]);
  clock.after(2 * HOUR_MS, note('second'));
  clock.after(HOUR_MS, () => {
    note('first')();
    clock.after(2 * HOUR_MS, note('third, set by the first'));
  });
  clock.after(HOUR_MS, note('cancelled'))();
  const cancelLater = clock.after(4 * HOUR_MS, note('later'));
  clock.jump(3.5 * HOUR_MS);
  expect(ran).toEqual([
    ['first', 1],
    ['second', 2],
    ['third, set by the first', 3],
  ]);
  cancelLater();
});

it('brings nearer what does not fall due yet', async () => {
  const clock = new JumpingClock();
  const due = new Promise<void>((resolve) => clock.after(HOUR_MS, resolve));
  clock.jump(HOUR_MS - 5);
  await due;
});
