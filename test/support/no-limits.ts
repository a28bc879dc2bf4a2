/** Of a deployment that limits nothing. */
export const NO_LIMITS = { take: async (): Promise<void> => {}, counts: (): boolean => false };
