/** Told what functions are billed for. */
export interface FunctionMeter {
  /** An environment has started, and it took so long. */
  initialised(functionName: string, ms: number): void;
  invoked(functionName: string, ms: number, isOk: boolean, heapBytes: number): void;
  logged(functionName: string, bytes: number): void;
}
