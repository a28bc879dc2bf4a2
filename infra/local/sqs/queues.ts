import {
  answer,
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  operationOf,
  parseInput,
  RequestError,
  unknownOperation,
} from '../http/engine.ts';
import { Outage } from '../state/outage.ts';
import { checkQueue } from './attributes.ts';
import { Disorder, isBatch, type QueueFaults, runPassed } from './faults.ts';
import {
  actions,
  atomically,
  checkAttributes,
  closeStore,
  DEFAULT_ATTRIBUTES,
  isDiskError,
  isSqsError,
  KNOWN_ATTRIBUTES,
  type MessageAttribute,
  openStore,
  type Queue,
  type ReceivedMessage,
  refresh,
  type Store,
} from './fauxqs.ts';
import { parseSqsInput } from './input.ts';
import { checkLimits, refusal, reworded } from './limits.ts';
import { payloadOf, type QueueMeter } from './meter.ts';

/** What one call to SQS may take from a queue, and delete in it. */
const RECEIVE_MAX = 10;
const DELETE_MAX = 10;
/**
 * Who waits for a message looks again at least this often. Delays and visibility timeouts are whole seconds, so a
 * message that was delayed or taken during the wait is never late: the look that comes before it knows its time.
 */
const LOOK_AGAIN_MS = 1_000;

/** A batch has up to 1 MB of text, and JSON may write a character of it with six. */
const SENT_BYTES_MAX = 7 * 1024 * 1024;
/** Of other requests. */
const BODY_BYTES_MAX = 1024 * 1024;

/** Who sent a message: on AWS the id of the role. */
const SENDER_ID = '000000000000';
export const NO_SUCH_QUEUE = 'com.amazonaws.sqs#QueueDoesNotExist';
/** A common error of AWS (SQS API reference, "Common errors"). */
const UNAVAILABLE = 'com.amazonaws.sqs#ServiceUnavailable';

type Headers = Pick<HttpRequest, 'headers'>;
type Received = { readonly Messages?: readonly ReceivedMessage[] };

export interface QueuesOptions {
  readonly dataDir?: string | undefined;
  readonly region: string;
  readonly faults?: QueueFaults | undefined;
  readonly meter?: QueueMeter;
  /** Told when the queues cannot be written, and when they can again. */
  readonly log?: (line: string) => void;
  /** When this machine was started, in seconds since the epoch; for tests. */
  readonly bootedAtSeconds?: number;
}

export interface QueueDefinition {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  /** The queue attributes of SQS and CloudFormation (both name them alike), as strings or as JSON. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface SendOptions {
  readonly messageAttributes?: Readonly<Record<string, MessageAttribute>>;
  /** Fractions of a second too, unlike SQS. */
  readonly delaySeconds?: number;
  readonly messageGroupId?: string;
}

export interface Message {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  readonly md5OfMessageAttributes?: string;
  /** The system attributes, ApproximateReceiveCount and so on. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
}

interface Depth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/**
 * SQS: its API over HTTP, and the same queues in process for the bus and the event source mappings. What a call has
 * changed is on disk when it returns.
 *
 * Not like SQS: a standard queue delivers in order and exactly once, retention periods are ignored, fair queues keep
 * the MessageGroupId but do not reorder, a FIFO queue hands out one message of a group at a time, keeps no trace header
 * and forgets its deduplication ids when the process ends.
 */
export class Queues implements HttpEngine {
  readonly #store: Store;
  /** Long polls over HTTP that are under way. */
  readonly #polls = new Set<Promise<unknown>>();
  readonly #faults: QueueFaults | undefined;
  readonly #disorder: Disorder | undefined;
  readonly #meter: QueueMeter | undefined;
  readonly #outage: Outage;
  #isClosed = false;

  private constructor(store: Store, { faults, meter, dataDir, log = () => {} }: QueuesOptions) {
    this.#store = store;
    this.#meter = meter;
    this.#outage = new Outage(`the queues in ${dataDir}`, log);
    this.#faults = faults;
    this.#disorder = faults && new Disorder(faults);
  }

  static open(options: QueuesOptions): Queues {
    return new Queues(openStore(options.dataDir, options.region, options.bootedAtSeconds), options);
  }

  /** What was answered in an earlier run may be missing. */
  get hasLostWrites(): boolean {
    return this.#store.persistence?.tally.hasLostWrites ?? false;
  }

  /** From now on it is noticed if what is answered gets lost. */
  account(): void {
    this.#store.persistence?.tally.account();
  }

  /** Creates the queue, or gives the one from an earlier run this URL and exactly these attributes. */
  create(definition: QueueDefinition): void {
    this.#write(() => this.#create(definition));
  }

  #create({ name, arn, url, attributes }: QueueDefinition): void {
    const wanted = queueAttributes(name, attributes);
    const queue = this.#store.getQueueByArn(arn);
    if (!queue) {
      this.#store.createQueue(name, url, arn, wanted);
      return;
    }
    this.#store.queues.delete(queue.url);
    queue.url = url;
    this.#store.queues.set(url, queue);
    queue.attributes = { ...DEFAULT_ATTRIBUTES, ...wanted };
    queue.persistence?.updateQueueAttributes(name, queue.attributes, queue.lastModifiedTimestamp);
  }

  bodyBytesMax(request: HttpRequest): number {
    return operationOf(request).startsWith('SendMessage') ? SENT_BYTES_MAX : BODY_BYTES_MAX;
  }

  handle(request: HttpRequest, body: Buffer, response: HttpResponse): Promise<void> {
    const operation = operationOf(request);
    return answer(response, '1.0', () => {
      if (!actions.has(operation)) throw unknownOperation(operation);
      const input = parseSqsInput(operation, parseInput(body));
      checkLimits(operation, input);
      checkQueue(operation, input);
      return operation === 'ReceiveMessage'
        ? this.#poll(input, request)
        : this.#runFaulty(operation, input, request);
    });
  }

  /** Answers with the message id. */
  send(queueArn: string, body: string, options: SendOptions = {}): string {
    const queue = this.#queue(queueArn);
    const { delaySeconds } = options;
    const input = {
      QueueUrl: queue.url,
      MessageBody: body,
      MessageAttributes: options.messageAttributes,
      DelaySeconds: delaySeconds === undefined ? undefined : Math.ceil(delaySeconds),
      MessageGroupId: options.messageGroupId,
    };
    const { MessageId } = this.#run('SendMessage', input, { headers: {} }) as { MessageId: string };
    if (delaySeconds !== undefined && !Number.isInteger(delaySeconds)) hasten(queue, delaySeconds);
    return MessageId;
  }

  /**
   * Waits until there is a message, then takes all there are, up to `max`. Empty when `signal` aborts. Asks before it
   * takes any whether it `may`, and if not, asks again a little later.
   */
  async receive(
    queueArn: string,
    max: number,
    signal: AbortSignal,
    may: () => boolean = () => true,
  ): Promise<Message[]> {
    const queue = this.#queue(queueArn);
    while (!signal.aborted && !this.#isClosed) {
      if (!may()) {
        await changeOf(queue, signal, LOOK_AGAIN_MS);
        continue;
      }
      const messages = this.#write(() => this.#take(queue, max));
      if (messages.length > 0) return messages;
      await changeOf(queue, signal, untilNextDue(queue));
    }
    return [];
  }

  remove(queueArn: string, receiptHandles: readonly string[]): void {
    const queue = this.#queue(queueArn);
    this.#write(() => {
      for (const receiptHandle of receiptHandles) queue.deleteMessage(receiptHandle);
    });
    for (let done = 0; done < receiptHandles.length; done += DELETE_MAX) {
      this.#meter?.requested(queue.name, 'DeleteMessageBatch');
    }
  }

  /** At boot: those who held these messages ended with the last process, so they are visible again at once. */
  releaseInFlight(queueArn: string): void {
    const queue = this.#queue(queueArn);
    this.#write(() => {
      const receiptHandles = [...queue.inflightMessages.keys()];
      for (const receiptHandle of receiptHandles) queue.changeVisibility(receiptHandle, 0);
    });
  }

  depth(queueArn: string): Depth {
    const queue = this.#queue(queueArn);
    queue.processTimers();
    return {
      visible: Number(queue.getAttribute('ApproximateNumberOfMessages')),
      inFlight: Number(queue.getAttribute('ApproximateNumberOfMessagesNotVisible')),
      delayed: Number(queue.getAttribute('ApproximateNumberOfMessagesDelayed')),
    };
  }

  /** Ends every wait for a message. Closing twice is no error. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#store.shutdown();
    await Promise.allSettled(this.#polls);
    closeStore(this.#store);
  }

  #runFaulty(operation: string, input: Record<string, unknown>, request: Headers): unknown {
    const run = (passed: Record<string, unknown>) => this.#run(operation, passed, request);
    const faults = this.#faults;
    const queue = faults && this.#store.getQueue(String(input.QueueUrl));
    if (!queue || !isBatch(operation)) return run(input);
    return runPassed(input, () => faults.refuses?.(queue.name, operation) ?? false, run);
  }

  #run(operation: string, input: Record<string, unknown>, request: Headers): unknown {
    const action = actions.get(operation);
    if (!action) throw unknownOperation(operation);
    // A depth is asked for to see what is due, too.
    if (operation === 'GetQueueAttributes') this.#store.processAllTimers();
    const output = this.#write(() => action(input, this.#store, request));
    this.#count(operation, input);
    return operation === 'SendMessageBatch' ? reworded(output) : output;
  }

  /** Reaches the disk as a whole, or is refused as `UNAVAILABLE`. */
  #write<T>(work: () => T): T {
    const tally = this.#outage.isOn ? this.#store.persistence?.tally : undefined;
    const before = tally?.changes;
    try {
      const result = atomically(this.#store, work);
      // What only looked has shown nothing.
      if (tally?.changes !== before) this.#outage.end();
      return result;
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  #refusal(error: unknown): unknown {
    if (!isDiskError(error)) return asRequestError(error);
    this.#outage.begin(error);
    return new RequestError(UNAVAILABLE, 'the queues cannot be written', 503, {
      'x-amzn-query-error': 'ServiceUnavailable;Receiver',
    });
  }

  /** The one operation that waits: a transaction must not. */
  async #poll(input: Record<string, unknown>, request: Headers): Promise<unknown> {
    const poll = this.#receiveOver(input, request);
    this.#polls.add(poll);
    try {
      const output = await poll;
      this.#count('ReceiveMessage', input, output as Received);
      return output;
    } catch (error) {
      this.#store.isStale ||= isDiskError(error);
      throw this.#refusal(error);
    } finally {
      this.#polls.delete(poll);
    }
  }

  async #receiveOver(input: Record<string, unknown>, request: Headers): Promise<unknown> {
    refresh(this.#store);
    return actions.get('ReceiveMessage')?.(input, this.#store, request);
  }

  #count(operation: string, input: Record<string, unknown>, received?: Received): void {
    const queue = this.#meter && this.#store.getQueue(String(input.QueueUrl));
    if (!queue) return;
    const { bytes, isGrouped } = received
      ? payloadOf({ Entries: received.Messages ?? [] })
      : payloadOf(input);
    this.#meter?.requested(queue.name, operation, bytes, isGrouped);
  }

  #take(queue: Queue, max: number): Message[] {
    const taken: Message[] = [];
    while (taken.length < max) {
      const count = Math.min(max - taken.length, RECEIVE_MAX);
      this.#disorder?.arrange(queue, count);
      const messages = queue.dequeue(count, undefined, (arn) => this.#store.getQueueByArn(arn));
      if (messages.length === 0) break;
      this.#meter?.requested(queue.name, 'ReceiveMessage', payloadOf({ Entries: messages }).bytes);
      taken.push(...messages.map((message) => toMessage(queue, message)));
    }
    return taken;
  }

  #queue(arn: string): Queue {
    const queue = this.#store.getQueueByArn(arn);
    if (!queue) throw new RequestError(NO_SUCH_QUEUE, `The specified queue does not exist: ${arn}`);
    return queue;
  }
}

/** Has the message that was sent last come to the fraction of a second; on disk it is due at the end of that second. */
function hasten(queue: Queue, delaySeconds: number): void {
  const message = queue.delayedMessages.at(-1);
  if (message) message.delayUntil = Date.now() + delaySeconds * 1000;
  queue.notifyWaiters(); // they reckon with whole seconds
}

/** Waits until there is a message that was not there, or so long. */
function changeOf(queue: Queue, signal: AbortSignal, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      const index = queue.pollWaiters.indexOf(waiter);
      if (index >= 0) queue.pollWaiters.splice(index, 1);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const waiter = { resolve: done, timer };
    queue.pollWaiters.push(waiter);
    signal.addEventListener('abort', done);
  });
}

function untilNextDue(queue: Queue): number {
  const now = Date.now(); // fauxqs knows no other clock
  let dueAt = now + LOOK_AGAIN_MS;
  for (const time of dueTimes(queue)) dueAt = Math.min(dueAt, time);
  return Math.max(dueAt - now, 0);
}

function* dueTimes(queue: Queue): Generator<number> {
  for (const { visibilityDeadline } of queue.inflightMessages.values()) yield visibilityDeadline;
  for (const messages of [queue.delayedMessages, ...queue.fifoDelayed.values()]) {
    for (const { delayUntil = 0 } of messages) yield delayUntil;
  }
}

function toMessage(queue: Queue, received: ReceivedMessage): Message {
  const stored = queue.inflightMessages.get(received.ReceiptHandle)?.message;
  const attributes = {
    ApproximateReceiveCount: stored?.approximateReceiveCount,
    SentTimestamp: stored?.sentTimestamp,
    SenderId: SENDER_ID,
    ApproximateFirstReceiveTimestamp: stored?.approximateFirstReceiveTimestamp,
    MessageGroupId: stored?.messageGroupId,
    MessageDeduplicationId: stored?.messageDeduplicationId,
    SequenceNumber: stored?.sequenceNumber,
    AWSTraceHeader: stored?.traceHeader,
  };
  return {
    messageId: received.MessageId,
    receiptHandle: received.ReceiptHandle,
    body: received.Body,
    md5OfBody: received.MD5OfBody,
    ...(received.MD5OfMessageAttributes && { md5OfMessageAttributes: received.MD5OfMessageAttributes }),
    attributes: Object.fromEntries(
      Object.entries(attributes).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, String(value)]],
      ),
    ),
    messageAttributes: received.MessageAttributes ?? {},
  };
}

function queueAttributes(name: string, given: Readonly<Record<string, unknown>>): Record<string, string> {
  const unknown = Object.keys(given).filter((key) => !KNOWN_ATTRIBUTES.has(key));
  if (unknown.length > 0)
    throw new Error(`queue ${name}: expected SQS attributes, got ${unknown.join(', ')}`);
  const attributes = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );
  checkAttributes(attributes);
  return attributes;
}

/** The error as SQS words it; what is not the caller's fault stays what it is. */
function asRequestError(error: unknown): unknown {
  if (!isSqsError(error)) return error;
  const code = error.queryCode === 'QueueNameExists' ? 'QueueAlreadyExists' : error.queryCode; // the older protocol's
  return refusal(code, error.message, error.statusCode);
}
