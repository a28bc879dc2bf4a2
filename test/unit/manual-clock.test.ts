import { expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';

it('runs what falls due in order of time, each at its own moment', () => {
  const clock = new ManualClock(0);
  const ran: [string, number][] = [];
  const note = (name: string) => () => ran.push([name, clock.now()]);
  clock.after(20, note('late'));
  clock.after(10, note('early'));
  clock.after(10, note('early too'));
  clock.after(31, note('later than the end'));
  clock.advance(30);
  expect(ran).toEqual([
    ['early', 10],
    ['early too', 10],
    ['late', 20],
  ]);
  expect(clock.now()).toBe(30);
});

it('runs a task that a task sets, if it is due before the end', () => {
  const clock = new ManualClock(0);
  const ran: number[] = [];
  const tick = () => {
    ran.push(clock.now());
    clock.after(10, tick);
  };
  clock.after(10, tick);
  clock.advance(35);
  expect(ran).toEqual([10, 20, 30]);
});

it('never runs a cancelled task', () => {
  const clock = new ManualClock(0);
  let ran = false;
  const cancel = clock.after(10, () => {
    ran = true;
  });
  expect(clock.waiting).toBe(1);
  cancel();
  expect(clock.waiting).toBe(0);
  clock.advance(10);
  expect(ran).toBe(false);
});
