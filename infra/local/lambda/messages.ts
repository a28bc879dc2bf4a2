import type { LoopbackSettings } from '../http/loopback/dial.ts';

/** What passes between the engine and the thread of an execution environment. */

/** What the thread is born with: everything about the function that its code may see. */
export interface WorkerSettings {
  readonly codeDirectory: string;
  readonly handler: string;
  readonly functionName: string;
  readonly functionArn: string;
  readonly memoryMb: number;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /** Shared with the engine, which counts it up for every call: what the thread sleeps on while it is frozen. */
  readonly calls: Int32Array;
  /** The way to the server of this process, unless it is only that of the kernel. */
  readonly loopback?: LoopbackSettings;
}

/** One event to handle. The thread gets the next one only after it has answered. */
export interface Call {
  readonly requestId: string;
  /** JSON, as on AWS: what JSON cannot carry never reaches a handler. */
  readonly event: string;
  readonly timeoutMs: number;
  /** Of X-Ray: what the AWS SDK sends with every call that the handler makes. */
  readonly traceId: string;
}

/** The thread's answer: `ready` once after its start, then one for every call. After `crashed` it exits. */
export type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'returned'; readonly payload: string; readonly heapBytes: number }
  | { readonly kind: 'threw' | 'crashed'; readonly errorType: string; readonly errorMessage: string };
