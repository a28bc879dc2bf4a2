import { expect, it } from 'vitest';
import { throwHandshakes } from './foreign-handshakes.ts';

it.each([1, 2, 3, 4])(
  'handshakes that no client makes let in nobody without a good token (seed %s)',
  async (seed) => {
    const { faults, admitted, anonymous, refused } = await throwHandshakes(seed, 4_000);
    expect(faults).toEqual([]);
    expect(admitted + anonymous).toBeGreaterThan(100);
    expect(Object.keys(refused).length).toBeGreaterThan(10);
  },
);
