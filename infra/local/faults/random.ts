/** The state has 32 bits. */
export const SEED_MAX = 2 ** 32 - 1;

/**
 * splitmix32: the same seed gives the same numbers, each in [0, 1). Small, and good enough for chance in tests
 * (https://github.com/bryc/code/blob/master/jshash/PRNGs.md#splitmix32).
 */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  };
}
