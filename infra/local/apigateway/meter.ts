/** Told what one stage of an API is billed for. */
export interface StageMeter {
  opened(): void;
  closed(): void;
  /** A message of a client. */
  received(bytes: number): void;
  /** What a client is told in answer to its message. */
  replied(bytes: number): void;
  /** A call to @connections, and the status that it was answered with. */
  managed(method: string | undefined, status: number, bytes: number): void;
}
