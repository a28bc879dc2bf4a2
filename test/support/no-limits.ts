import type { CompleteLimits } from '../../shared/protocol/limits.ts';

/** What a Lambda is told where nothing is limited but what one frame may cost. */
export const NOTHING_LIMITED: CompleteLimits = { rates: {}, publishBytesMax: 1_048_576 };

/** What routes get then. */
export const NO_LIMITS = { take: async (): Promise<void> => {}, counts: (): boolean => false };

export const NO_ADMISSIONS = {
  enter: async (): Promise<boolean> => true,
  join: async (): Promise<boolean> => true,
  leave: async (): Promise<void> => {},
};
