import { expect, it } from 'vitest';
import { lastOf } from '../../infra/local/last.ts';

/** Computes with `compute`, and knows for what it had to. */
function counted<R>(
  compute: (argument: string) => R,
  isSame?: (a: string, b: string) => boolean,
): { ask: (argument: string) => R; computed: string[] } {
  const computed: string[] = [];
  const ask = lastOf((argument: string) => {
    computed.push(argument);
    return compute(argument);
  }, isSame);
  return { ask, computed };
}

it('computes once for what is asked many times in a row, and remembers no more than that', () => {
  const { ask, computed } = counted((name) => `${name}!`);
  expect(['a', 'a', 'b', 'b', 'a'].map(ask)).toEqual(['a!', 'a!', 'b!', 'b!', 'a!']);
  expect(computed).toEqual(['a', 'b', 'a']);
});

it('leaves it to its asker what the same is', () => {
  const { ask, computed } = counted(
    (name) => `${name}!`,
    (a, b) => a.toLowerCase() === b.toLowerCase(),
  );
  expect(['a', 'A', 'b'].map(ask)).toEqual(['a!', 'a!', 'b!']);
  expect(computed).toEqual(['a', 'b']);
});

it('remembers that there is nothing, but no failure', () => {
  const nothing = counted(() => undefined);
  expect([nothing.ask('a'), nothing.ask('a')]).toEqual([undefined, undefined]);
  expect(nothing.computed).toEqual(['a']);

  const failing = counted(() => {
    throw new Error('out of order');
  });
  expect(() => failing.ask('a')).toThrow('out of order');
  expect(() => failing.ask('a')).toThrow('out of order');
  expect(failing.computed).toEqual(['a', 'a']);
});
