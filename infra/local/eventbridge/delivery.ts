import type { Clock } from '../clock.ts';
import { isUnavailable, RequestError } from '../http/engine.ts';
import type { Invoke } from '../lambda/invoke.ts';
import { owned } from '../owned.ts';
import type { MessageAttribute } from '../sqs/fauxqs.ts';
import { NO_SUCH_QUEUE, type Queues } from '../sqs/queues.ts';
import type { BusEvent } from './event.ts';
import type { Target } from './target.ts';

/** How Lambda retries what EventBridge invokes: twice, after one and two minutes (Lambda guide, "Asynchronous invocation"). */
const RETRY_DELAYS_MS = [60_000, 120_000];
/** How soon a dead-letter queue that cannot be written is tried again. */
const BURY_AGAIN_MS = 1_000;
/** Functions that the bus has running at once. */
const INVOCATIONS_MAX = 10;

/** Whether EventBridge may do what a rule asks for: why not, if so. */
export interface BusRights {
  denialOfTarget(target: Target): string | undefined;
  denialOfBurial(ruleArn: string, queueArn: string): string | undefined;
}

export interface DeliveryDeps {
  readonly queues: Pick<Queues, 'send'>;
  readonly invoke: Invoke;
  readonly clock: Clock;
  /** Without it EventBridge may do everything. */
  readonly rights?: BusRights;
  /** Told about an event that is lost. */
  readonly log: (line: string) => void;
}

interface Delivery {
  readonly event: BusEvent;
  readonly target: Target;
  readonly retries: number;
}

interface Failure {
  readonly code: string;
  readonly message: string;
  /** Which of the two limits of the retry policy ended it. */
  readonly exhausted?: 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds';
}

const CLOSED: Failure = { code: 'SHUTDOWN', message: 'the local bus was closed before it was delivered' };

/** Brings events to targets. */
export class Deliveries {
  readonly #deps: DeliveryDeps;
  /** For functions, in the order in which they came. */
  readonly #waiting: Delivery[] = [];
  /** Cancels by what waits for its time. */
  readonly #delayed = new Map<Delivery, () => void>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  /**
   * An event for a queue is on disk when this returns, so a process that is killed after PutEvents has answered has
   * lost nothing. One for a function is held in memory until it has been handled or dead-lettered. Throws the queue's
   * own error if it cannot be written: then the event is not accepted.
   */
  deliver(event: BusEvent, target: Target, delayMs: number): void {
    const delivery = { event, target, retries: 0 };
    const denial = this.#deps.rights?.denialOfTarget(target);
    if (denial !== undefined) {
      // No later try could help, so there is none (EventBridge guide, "Using dead-letter queues").
      this.#bury(delivery, { code: 'NO_PERMISSIONS', message: denial });
    } else if (target.service === 'sqs') {
      this.#send(delivery, delayMs);
    } else if (delayMs > 0) {
      this.#invokeIn(delayMs, delivery, 0);
    } else {
      this.#waiting.push(delivery);
      this.#invokeNext();
    }
  }

  /** Waits for the functions that are running; what would be tried later goes to its dead-letter queue. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#delayed.values()) cancel();
    const left = [...this.#waiting.splice(0), ...this.#delayed.keys()];
    this.#delayed.clear();
    for (const delivery of left) this.#bury(delivery, CLOSED);
    await Promise.all(this.#running);
  }

  #send(delivery: Delivery, delayMs: number): void {
    const { event, target } = delivery;
    const { messageGroupId } = target;
    try {
      this.#deps.queues.send(target.arn, target.input(event), {
        ...(messageGroupId && { messageGroupId }),
        ...(delayMs > 0 && { delaySeconds: delayMs / 1000 }),
      });
    } catch (error) {
      if (!(error instanceof RequestError) || isUnavailable(error)) throw error;
      const code = error.type === NO_SUCH_QUEUE ? 'NO_RESOURCE' : 'SDK_CLIENT_ERROR';
      this.#bury(delivery, { code, message: error.message });
    }
  }

  #invokeNext(): void {
    if (this.#running.size >= INVOCATIONS_MAX) return;
    const delivery = this.#waiting.shift();
    if (!delivery) return;
    const { event, target } = delivery;
    const run = owned(
      () => this.#invoke(delivery),
      (error) => this.#deps.log(`${lossOf(event, target)}: ${error}; it is lost`),
    ).finally(() => {
      this.#running.delete(run);
      this.#invokeNext();
    });
    this.#running.add(run);
  }

  async #invoke(delivery: Delivery): Promise<void> {
    const { event, target, retries } = delivery;
    const invocation = await this.#deps.invoke(target.arn, JSON.parse(target.input(event)));
    if (invocation.ok) return;
    const failure = { code: invocation.errorType, message: invocation.errorMessage };
    const delayMs = RETRY_DELAYS_MS[retries];
    if (delayMs === undefined || retries >= target.retriesMax) {
      this.#bury(delivery, { ...failure, exhausted: 'MaximumRetryAttempts' });
    } else if (this.#deps.clock.now() + delayMs > event.acceptedAtMs + target.eventAgeMaxMs) {
      this.#bury(delivery, { ...failure, exhausted: 'MaximumEventAgeInSeconds' });
    } else if (this.#isClosed) {
      this.#bury(delivery, failure);
    } else {
      this.#invokeIn(delayMs, delivery, retries + 1);
    }
  }

  /** The number of `retries` counts from then on. */
  #invokeIn(delayMs: number, delivery: Delivery, retries: number): void {
    const cancel = this.#deps.clock.after(delayMs, () => {
      this.#delayed.delete(delivery);
      this.#waiting.push({ ...delivery, retries });
      this.#invokeNext();
    });
    this.#delayed.set(delivery, cancel);
  }

  /** To the dead-letter queue, with the attributes that EventBridge gives (guide, "Using dead-letter queues"). */
  #bury(delivery: Delivery, failure: Failure): void {
    const { event, target, retries } = delivery;
    const { ruleArn, arn, deadLetterArn } = target;
    const loss = `${lossOf(event, target)}: ${failure.code} ${failure.message}`;
    if (deadLetterArn === undefined) {
      this.#deps.log(`${loss}; there is no dead-letter queue, it is lost`);
      return;
    }
    const denial = this.#deps.rights?.denialOfBurial(ruleArn, deadLetterArn);
    if (denial !== undefined) {
      this.#deps.log(`${loss}; nor its dead-letter queue, ${denial}, it is lost`);
      return;
    }
    const messageAttributes = stringAttributes({
      RULE_ARN: ruleArn,
      TARGET_ARN: arn,
      ERROR_CODE: failure.code,
      ERROR_MESSAGE: failure.message,
      RETRY_ATTEMPTS: String(retries),
      ...(failure.exhausted && { EXHAUSTED_RETRY_CONDITION: failure.exhausted }),
    });
    try {
      this.#deps.queues.send(deadLetterArn, event.text, { messageAttributes });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (isUnavailable(error) && !this.#isClosed) this.#buryLater(delivery, failure);
      else this.#deps.log(`${loss}; nor its dead-letter queue, ${error.message}, it is lost`);
    }
  }

  #buryLater(delivery: Delivery, failure: Failure): void {
    const cancel = this.#deps.clock.after(BURY_AGAIN_MS, () => {
      this.#delayed.delete(delivery);
      const report = (error: unknown): void =>
        this.#deps.log(`${lossOf(delivery.event, delivery.target)}: ${error}`);
      void owned(() => this.#bury(delivery, failure), report);
    });
    this.#delayed.set(delivery, cancel);
  }
}

const lossOf = ({ id }: BusEvent, { ruleArn, arn }: Target): string =>
  `event ${id} of ${ruleArn} did not reach ${arn}`;

const stringAttributes = (values: Readonly<Record<string, string>>): Record<string, MessageAttribute> =>
  Object.fromEntries(
    Object.entries(values).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
  );
