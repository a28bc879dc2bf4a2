/** Asked and told wherever something may go wrong with the execution environments of functions. */
export interface FunctionFaults {
  /** Whether an environment crashes while it starts, or takes so many milliseconds at least. */
  start?(functionName: string): 'crash' | number | undefined;
  /**
   * Told of an invocation before it begins. The AWS SDK sends `traceId` as X-Amzn-Trace-Id with every call that the
   * invocation makes; `kill` ends its environment wherever the code is. The answer is called when it has ended.
   */
  invoked?(functionName: string, traceId: string, kill: () => void): () => void;
}
