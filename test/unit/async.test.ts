import { expect, it } from 'vitest';
import { mapAll, mapLimit } from '../../shared/async.ts';

it('never runs more than the limit at a time, and reaches it', async () => {
  let running = 0;
  let most = 0;
  await mapLimit([...Array(20).keys()], 3, async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
  });
  expect(most).toBe(3);
});

it('settles every item in its place, whether or not others fail', async () => {
  const results = await mapLimit([1, 2, 3], 2, async (n) => {
    if (n === 2) throw new Error('two');
    return n * 10;
  });
  expect(results).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'rejected', reason: new Error('two') },
    { status: 'fulfilled', value: 30 },
  ]);
});

it('settles a task that throws at once like one that rejects', async () => {
  const results = await mapLimit(['{', '1'], 1, (text) => JSON.parse(text));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});

it('throws the first failure, in item order, once every item has settled', async () => {
  const settled: number[] = [];
  const results = mapAll([1, 2, 3], 3, async (n) => {
    await new Promise(setImmediate);
    settled.push(n);
    if (n > 1) throw new Error(String(n));
  });
  await expect(results).rejects.toThrow('2');
  expect(settled).toEqual([1, 2, 3]);
  expect(await mapAll([1, 2], 1, async (n) => n * 10)).toEqual([10, 20]);
});

it('has nothing to do for no items', async () => {
  expect(await mapLimit([], 5, () => Promise.reject(new Error('never')))).toEqual([]);
});
