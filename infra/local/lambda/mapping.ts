import type { Clock } from '../clock.ts';
import { isUnavailable } from '../http/engine.ts';
import { owned } from '../owned.ts';
import type { MessageAttribute } from '../sqs/fauxqs.ts';
import type { Message, Queues } from '../sqs/queues.ts';
import type { Invocation, Invoke } from './invoke.ts';
import { lineageOf } from './lineage.ts';
import { BUSY, type Scale } from './scale.ts';

/** What a synchronous invocation may carry (model lambda, Invoke). */
const PAYLOAD_BYTES_MAX = 6 * 1024 * 1024;
/** How soon a queue that failed is asked again. */
const ASK_AGAIN_MS = 1_000;

export interface MappingSettings {
  readonly queueArn: string;
  readonly functionArn: string;
  readonly batchSize: number;
  /** How long to wait for a full batch; 0 invokes with what is there. */
  readonly batchingWindowSeconds: number;
  readonly reportBatchItemFailures: boolean;
  readonly maximumConcurrency?: number;
}

interface MappingDeps {
  readonly queues: Pick<Queues, 'receive' | 'remove'>;
  readonly invoke: Invoke;
  /**
   * Resolves once an environment is free for another event of the function. A batch is whatever is there then: without
   * a batching window Lambda waits for no more, and a batch is larger than one message only where messages come faster
   * than they are handled.
   */
  readonly whenFree: (functionArn: string) => Promise<void>;
  readonly scale?: Scale | undefined;
  readonly clock: Clock;
  /** Told of what fails and is tried again or comes again: for each cause, once in a row. */
  readonly log: (line: string) => void;
}

export interface Mapping {
  /** Takes no more messages, and waits for the invocations that are running. */
  stop(): Promise<void>;
}

/** One message as a Lambda function gets it: an SQS message with lower-case keys. */
interface SqsRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, unknown>>;
  readonly md5OfBody: string;
  readonly md5OfMessageAttributes?: string;
  readonly eventSource: 'aws:sqs';
  readonly eventSourceARN: string;
  readonly awsRegion: string;
}

/** Starts an event source mapping: from now on the function is invoked with what comes into the queue. */
export function startMapping(settings: MappingSettings, deps: MappingDeps): Mapping {
  const stopping = new AbortController();
  const polling = poll(settings, deps, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}

async function poll(settings: MappingSettings, deps: MappingDeps, signal: AbortSignal): Promise<void> {
  const { queueArn, functionArn, maximumConcurrency = Infinity } = settings;
  const concurrency = Math.min(maximumConcurrency, (deps.scale ?? BUSY).environmentsMax);
  const running = new Set<Promise<void>>();
  while (!signal.aborted) {
    await deps.whenFree(functionArn);
    const messages = await gather(settings, deps, signal);
    for (const batch of batchesOf(messages.map((message) => toRecord(message, queueArn)))) {
      const run = owned(
        () => deliver(batch, settings, deps, signal),
        (error) => deps.log(`what ${functionArn} has done comes again: ${error}`),
      ).finally(() => running.delete(run));
      running.add(run);
      // A batch is taken only when an invocation is free for it: in the meantime its visibility timeout would run.
      if (running.size >= concurrency) await Promise.race(running);
    }
  }
  await Promise.all(running);
}

/**
 * Tries once, and then until it succeeds or the mapping is stopped: a queue may fail for a while, as on a full disk. One
 * that cannot be used says so itself; of anything else the log is told, in these words.
 */
async function persist<T>(
  work: () => T | Promise<T>,
  words: string,
  { clock, log }: Pick<MappingDeps, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let said: string | undefined;
  do {
    try {
      return await work();
    } catch (error) {
      const line = `${words}: ${error}`;
      if (line !== said && !isUnavailable(error)) log(line);
      said = line;
      await pause(ASK_AGAIN_MS, clock, signal);
    }
  } while (!signal.aborted);
  return undefined;
}

/** Not beyond the end of the mapping. */
function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => {
    cancel();
    signal.removeEventListener('abort', end);
    resolve();
  };
  const cancel = clock.after(ms, end);
  signal.addEventListener('abort', end);
  return promise;
}

/** Takes what is there; with a batching window also what comes until it closes or the batch is full. */
async function gather(settings: MappingSettings, deps: MappingDeps, signal: AbortSignal): Promise<Message[]> {
  const { queueArn, batchSize, batchingWindowSeconds } = settings;
  const words = `nothing can be taken from ${queueArn}`;
  const receive = async (max: number, until: AbortSignal): Promise<Message[]> =>
    (await persist(() => deps.queues.receive(queueArn, max, until), words, deps, until)) ?? [];
  const messages = await receive(batchSize, signal);
  if (batchingWindowSeconds === 0 || signal.aborted) return messages;
  const window = new AbortController();
  const close = (): void => window.abort();
  const cancel = deps.clock.after(batchingWindowSeconds * 1000, close);
  signal.addEventListener('abort', close);
  while (messages.length < batchSize && !window.signal.aborted) {
    messages.push(...(await receive(batchSize - messages.length, window.signal)));
  }
  signal.removeEventListener('abort', close);
  cancel();
  return messages;
}

function* batchesOf(records: readonly SqsRecord[]): Generator<SqsRecord[]> {
  let batch: SqsRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(record)) + 1;
    if (bytes + size > PAYLOAD_BYTES_MAX && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

async function deliver(
  records: readonly SqsRecord[],
  { queueArn, functionArn, reportBatchItemFailures }: MappingSettings,
  { queues, invoke, ...deps }: MappingDeps,
  signal: AbortSignal,
): Promise<void> {
  const lineage = lineageOf(records.map(({ attributes }) => attributes.AWSTraceHeader));
  const invocation = await invoke(functionArn, { Records: records }, lineage);
  const failed = failedIn(records, invocation, reportBatchItemFailures);
  const done = records.filter(({ messageId }) => !failed.has(messageId));
  const receiptHandles = done.map(({ receiptHandle }) => receiptHandle);
  const words = `what ${functionArn} has done cannot be removed from ${queueArn}`;
  // What failed stays in flight: it comes back when its visibility timeout ends, until the queue's redrive policy
  // has it moved.
  await persist(() => queues.remove(queueArn, receiptHandles), words, deps, signal);
}

/**
 * The ids of the messages that failed (Lambda guide, "Implementing partial batch responses"): an answer that makes
 * no sense fails the whole batch, an empty one fails nothing.
 */
function failedIn(
  records: readonly SqsRecord[],
  invocation: Invocation,
  reportBatchItemFailures: boolean,
): ReadonlySet<unknown> {
  const all = new Set<unknown>(records.map(({ messageId }) => messageId));
  if (!invocation.ok) return all;
  const { payload } = invocation;
  if (!reportBatchItemFailures || payload === null || payload === undefined) return new Set();
  if (typeof payload !== 'object') return all;
  const { batchItemFailures: failures = null } = payload as { batchItemFailures?: unknown };
  if (failures === null) return new Set();
  if (!Array.isArray(failures)) return all;
  const ids = new Set<unknown>(failures.map((failure) => failure?.itemIdentifier));
  return ids.isSubsetOf(all) ? ids : all;
}

function toRecord(message: Message, queueArn: string): SqsRecord {
  const { messageId, receiptHandle, body, attributes, messageAttributes, md5OfBody } = message;
  return {
    messageId,
    receiptHandle,
    body,
    attributes,
    messageAttributes: Object.fromEntries(
      Object.entries(messageAttributes).map(([name, attribute]) => [name, toRecordAttribute(attribute)]),
    ),
    md5OfBody,
    ...(message.md5OfMessageAttributes && { md5OfMessageAttributes: message.md5OfMessageAttributes }),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: queueArn.split(':')[3] ?? '',
  };
}

const toRecordAttribute = ({ DataType, StringValue, BinaryValue }: MessageAttribute) => ({
  ...(StringValue !== undefined && { stringValue: StringValue }),
  ...(BinaryValue !== undefined && { binaryValue: BinaryValue }),
  stringListValues: [],
  binaryListValues: [],
  dataType: DataType,
});
