import { expect, it } from 'vitest';
import { throwCommands } from './foreign-commands.ts';

it.each([1, 2, 3])('frames that no client sends get an error or what they may (seed %s)', async (seed) => {
  const { faults, acknowledged, refused, received } = await throwCommands(seed, 4_000);
  expect(faults).toEqual([]);
  expect(received).toBeGreaterThan(0);
  expect(Object.keys(acknowledged).sort()).toEqual([
    'history',
    'ping',
    'publish',
    'subscribe',
    'unsubscribe',
    'whoami',
  ]);
  expect(Object.keys(refused)).toEqual(
    expect.arrayContaining(['bad_request', 'forbidden', 'unknown_action']),
  );
});
