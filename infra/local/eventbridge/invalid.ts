/** Why EventBridge refuses an event pattern. The reasons are AWS's own where they are known. */
export const invalid = (reason: string): Error => new Error(`Event pattern is not valid. Reason: ${reason}`);
