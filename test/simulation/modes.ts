/** What is looked at beside what every world is looked at for. */
export const MODES = {
  usual: 'everything that goes wrong on AWS, each rarely',
  swarm:
    'each world with habits and faults of its own: none, a few or nearly all, rare or heavy, at times or always',
  liveness: 'at some moment nothing goes wrong any more, and from then on nothing is late',
  rights: 'as swarm, and each client has tokens, which say what it may do, end, and are revoked',
  upgrade: 'the code of now and that of an earlier commit side by side',
} as const;
export type Mode = keyof typeof MODES;
export const MODE_NAMES = Object.keys(MODES) as Mode[];
