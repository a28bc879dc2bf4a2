/** How far functions scale here. */
export interface Scale {
  /** Environments that one function may have, unless its concurrency is reserved; as many batches at once has a mapping. */
  readonly environmentsMax: number;
  /**
   * How long an event waits for a busy environment before another one is started for it, in milliseconds of the
   * machine's own clock: this is about its processor.
   */
  readonly patienceMs: number;
}

/**
 * Lambda would start another environment at once, and go on to a thousand; a mapping begins with five batches at once
 * (Lambda guide, "Lambda scaling behavior" and "Using Lambda with SQS"). One machine does better with few threads and a
 * short wait: another would take the processor from those that are at work, and from the deadlines of their posts.
 */
export const BUSY: Scale = { environmentsMax: 5, patienceMs: 200 };

/** Where everything takes as long as on AWS, threads mostly wait, and leave the processor to others. */
export const WAITING: Scale = { environmentsMax: 20, patienceMs: 10 };
