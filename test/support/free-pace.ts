import type { Pace } from '../../shared/delivery/pace.ts';

/** A pace at which everybody may go at once. */
export const freePace = (): Pace => ({
  announce: () => {},
  takeTurn: async () => true,
  noteAnswer: () => {},
});
