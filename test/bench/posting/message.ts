/** Of every message in these benchmarks. */
export const BODY_BYTES = 200;

export const REGION = 'us-east-1';
/** With a session token, as every Lambda has. */
export const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'x'.repeat(400),
};

export const connectionIds = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${Buffer.from(`L${n}`.padEnd(11, 'q')).toString('base64url')}=`);

export interface Target {
  readonly endpoint: string;
  readonly ca: string;
  /** Requests that may be in flight. */
  readonly socketsMax: number;
}

/** What a client is told to do, and what it answers with. */
export interface Order {
  readonly posts: number;
  readonly inFlight: number;
}
export interface Report {
  readonly posts: number;
  readonly wallMs: number;
  /** Of the whole process, user and system. */
  readonly processorMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
