import { hash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { markFilesIn } from '../state/mark.ts';
import { stateProblem } from '../state/problem.ts';
import { Tally } from './tally.ts';

/**
 * fauxqs (SQS on SQLite), assembled from its parts. Its public `startFauxqs` always listens on 0.0.0.0, on a port of
 * its own, and cannot receive in process; we want one port on loopback, and pollers without HTTP. The parts are not
 * in the package's export map, so they are loaded by URL. The types below are the members that we rely on; the
 * version is pinned exactly, and test/integration/queues.test.ts is what an upgrade has to pass.
 */

export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
}

export interface StoredMessage {
  readonly messageId: string;
  readonly sentTimestamp: number;
  readonly approximateReceiveCount: number;
  readonly approximateFirstReceiveTimestamp?: number;
  delayUntil?: number;
  readonly messageDeduplicationId?: string;
  readonly sequenceNumber?: string;
  messageGroupId?: string;
  /** Ours, not one of fauxqs; it does not survive a restart. */
  traceHeader?: string;
}

export interface ReceivedMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly MD5OfMessageAttributes?: string;
  readonly MessageAttributes?: Readonly<Record<string, MessageAttribute>>;
}

export interface Queue {
  readonly name: string;
  url: string;
  attributes: Record<string, string>;
  lastModifiedTimestamp: number;
  readonly tags: ReadonlyMap<string, string>;
  readonly persistence: Persistence | undefined;
  readonly messages: StoredMessage[];
  readonly delayedMessages: StoredMessage[];
  readonly inflightMessages: Map<
    string,
    { readonly message: StoredMessage; readonly visibilityDeadline: number }
  >;
  /** Of a FIFO queue, by message group. */
  readonly fifoMessages: Map<string, readonly StoredMessage[]>;
  readonly fifoDelayed: Map<string, readonly StoredMessage[]>;
  readonly fifoLockedGroups: Map<string, number>;
  /** Receivers that wait for a message. All are told when there is one, and then try to take it. */
  readonly pollWaiters: { readonly resolve: () => void; readonly timer: NodeJS.Timeout }[];
  isFifo(): boolean;
  /** Takes at most 10; what was received too often goes to the queue that `deadLetterQueue` finds by ARN. */
  dequeue(
    max: number,
    visibilityTimeoutSeconds: undefined,
    deadLetterQueue: (arn: string) => Queue | undefined,
  ): ReceivedMessage[];
  deleteMessage(receiptHandle: string): void;
  changeVisibility(receiptHandle: string, seconds: number): void;
  /** Makes visible whatever is due. */
  processTimers(): void;
  /** Has the receivers that wait look again. */
  notifyWaiters(): void;
  getAttribute(name: string): string | undefined;
}

export interface Store {
  host: string;
  region: string;
  persistence: Persistence | undefined;
  /** Ours, not one of fauxqs: what it holds may not be what is on disk. See `atomically`. */
  isStale?: boolean;
  readonly queues: Map<string, Queue>;
  createQueue(name: string, url: string, arn: string, attributes: Record<string, string>): Queue;
  getQueue(url: string): Queue | undefined;
  getQueueByArn(arn: string): Queue | undefined;
  allQueues(): Iterable<Queue & { persistence: Persistence | undefined }>;
  processAllTimers(): void;
  /** Ends every wait for a message. */
  shutdown(): void;
}

interface Persistence {
  readonly db: DatabaseSync;
  /** Ours, not one of fauxqs. */
  tally: Tally;
  loadSqsQueues(store: Store): void;
  loadSqsMessages(queue: Queue): void;
  insertQueue(queue: Queue): void;
  updateMessageReady: (messageId: string) => void;
  /** Ours, not one of fauxqs. */
  updateMessageGroup: (group: string, messageId: string) => void;
  updateQueueAttributes(name: string, attributes: Record<string, string>, modifiedAtSeconds: number): void;
  close(): void;
}

/** One operation of the SQS API, from its input to its output; of the request it reads the headers only. */
export type Action = (
  input: Record<string, unknown>,
  store: Store,
  request: { readonly headers: NodeJS.Dict<string | string[]> },
) => unknown;

/** The caller's fault, as actions throw it. */
interface SqsError extends Error {
  readonly statusCode: number;
  /** In the older protocol of SQS, without the name of the service. */
  readonly queryCode: string;
}

/** SendMessage and SendMessageBatch in one. */
interface SendInput extends SendEntry {
  readonly Entries?: readonly (SendEntry & { readonly Id: string })[];
}
interface SendEntry {
  readonly MessageGroupId?: string;
  readonly MessageSystemAttributes?: { readonly AWSTraceHeader?: MessageAttribute };
}
interface SendOutput {
  readonly MessageId?: string;
  readonly Successful?: readonly { readonly Id: string; readonly MessageId: string }[];
}

/** Messages in one SendMessageBatch. */
const BATCH_MAX = 10;

const OPERATIONS = [
  'CreateQueue',
  'DeleteQueue',
  'GetQueueUrl',
  'ListQueues',
  'GetQueueAttributes',
  'SetQueueAttributes',
  'PurgeQueue',
  'SendMessage',
  'SendMessageBatch',
  'ReceiveMessage',
  'DeleteMessage',
  'DeleteMessageBatch',
  'ChangeMessageVisibility',
  'ChangeMessageVisibilityBatch',
  'TagQueue',
  'UntagQueue',
  'ListQueueTags',
];

/** Untyped, so `any`: the types above are taken on trust. */
const part = (path: string) => import(new URL(path, import.meta.resolve('fauxqs')).href);

const [sqsStore, sqsTypes, errors, persistence, ...actionParts] = await Promise.all([
  part('sqs/sqsStore.js'),
  part('sqs/sqsTypes.js'),
  part('common/errors.js'),
  part('persistence.js'),
  ...OPERATIONS.map((operation) => part(`sqs/actions/${lowerFirst(operation)}.js`)),
]);

export const actions: ReadonlyMap<string, Action> = new Map(
  OPERATIONS.map((operation, index) => {
    const action: Action = actionParts[index][lowerFirst(operation)];
    return [operation, operation.startsWith('SendMessage') ? keepingMore(action) : action];
  }),
);

export const DEFAULT_ATTRIBUTES: Readonly<Record<string, string>> = sqsTypes.DEFAULT_QUEUE_ATTRIBUTES;
/** fauxqs knows these two but does not list them. */
export const KNOWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...sqsTypes.SETTABLE_ATTRIBUTES,
  'DeduplicationScope',
  'FifoThroughputLimit',
]);

/** In bytes, its attributes included. */
export const sizeOfMessage = (body: string, attributes: Readonly<Record<string, MessageAttribute>>): number =>
  sqsTypes.calculateMessageSize(body, attributes);

export const checkAttributes = (attributes: Readonly<Record<string, string>>): void =>
  sqsTypes.validateQueueAttributes(attributes, errors.SqsError);

export const isSqsError = (error: unknown): error is SqsError => error instanceof errors.SqsError;

// SQS takes every character of XML 1.0 (API reference, SendMessage). The expression of fauxqs is not a Unicode one,
// so it sees half a character in every emoji and refuses the message.
export const INVALID_CHARACTER = /[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;
sqsTypes.INVALID_MESSAGE_BODY_CHAR.test = (body: string): boolean => INVALID_CHARACTER.test(body);

/**
 * A store with everything that `dataDir` holds; without one it keeps nothing. A test says instead when this machine was
 * started.
 */
export function openStore(dataDir: string | undefined, region: string, bootedAtSeconds?: number): Store {
  const store: Store = new sqsStore.SqsStore();
  store.region = region;
  // No `sqs.{region}.localhost` in queue URLs: that name does not resolve everywhere.
  store.host = '';
  if (dataDir === undefined) return store;
  try {
    const disk: Persistence = new persistence.PersistenceManager(dataDir);
    check(disk.db);
    disk.tally = new Tally(disk.db, markFilesIn(dataDir).queues, bootedAtSeconds);
    persist(store, disk);
  } catch (error) {
    throw stateProblem('the queues', dataDir, error);
  }
  return store;
}

/** Takes a millisecond for a thousand messages. What it does not see is damage to the numbers and names beside a body. */
function check(db: DatabaseSync): void {
  const [found] = db.prepare('PRAGMA integrity_check(1)').all();
  const problem = String(found?.integrity_check).split('\n').at(-1); // after the name of the database
  if (problem !== 'ok') throw new Error(problem);
  for (const { id, body, md5 } of db
    .prepare('SELECT message_id id, body, md5_of_body md5 FROM sqs_messages')
    .iterate()) {
    if (hash('md5', String(body)) !== md5)
      throw new Error(`expected the message ${id} as it was sent, got another body`);
  }
}

function persist(store: Store, disk: Persistence): void {
  // In WAL mode this survives a killed process, which is what we promise; only a power cut may take the last writes.
  // With FULL each message costs an fsync: 126 instead of 21 microseconds.
  disk.db.exec('PRAGMA synchronous = NORMAL');
  // fauxqs writes a NULL receive count here, which its own schema refuses: the message would be lost until a restart.
  const makeReady = disk.db.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  );
  disk.updateMessageReady = (messageId) => void makeReady.run(messageId);
  // fauxqs writes the whole row anew, and its messages go with the old one: tags would empty a queue at the next start.
  const insertQueue = disk.insertQueue.bind(disk);
  const setTags = disk.db.prepare('UPDATE sqs_queues SET tags = ? WHERE name = ?');
  disk.insertQueue = (queue) => {
    const { changes } = setTags.run(JSON.stringify(Object.fromEntries(queue.tags)), queue.name);
    if (changes === 0) insertQueue(queue);
  };
  const setGroup = disk.db.prepare('UPDATE sqs_messages SET message_group_id = ? WHERE message_id = ?');
  disk.updateMessageGroup = (group, messageId) => void setGroup.run(group, messageId);
  // As in startFauxqs: what is loaded must not be written back, for writing a queue's row again drops its messages.
  disk.loadSqsQueues(store);
  store.persistence = disk;
  for (const queue of store.allQueues()) queue.persistence = disk;
}

/** SQLite's own: the disk is full, the file cannot be written, and so on. */
export const isDiskError = (error: unknown): error is Error =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';

/**
 * All that `work` writes reaches the disk in one piece and at the cost of one write, or not at all. fauxqs changes its
 * memory beside the disk, before it or after it: when a write fails, the disk is right, and is read again.
 */
export function atomically<T>(store: Store, work: () => T): T {
  const disk = store.persistence;
  if (!disk) return work();
  refresh(store);
  try {
    return inTransaction(disk, work);
  } catch (error) {
    store.isStale = isDiskError(error);
    throw error;
  }
}

/** Reads the disk again if a write has failed since. */
export function refresh(store: Store): void {
  const disk = store.persistence;
  if (disk && store.isStale) inTransaction(disk, () => readAgain(store, disk));
  store.isStale = false;
}

/** Once nothing uses it any more. */
export function closeStore({ persistence }: Store): void {
  persistence?.close();
  persistence?.tally.close();
}

function inTransaction<T>({ db, tally }: Persistence, work: () => T): T {
  try {
    db.exec('BEGIN');
    const before = tally.changes;
    const result = work();
    const writes = tally.count(before);
    db.exec('COMMIT');
    tally.confirm(writes);
    return result;
  } catch (error) {
    // Of a full disk SQLite has rolled back by itself (https://sqlite.org/lang_transaction.html).
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Receivers that wait are kept: they look again. */
function readAgain(store: Store, disk: Persistence): void {
  for (const queue of store.allQueues()) {
    queue.messages.length = 0;
    queue.delayedMessages.length = 0;
    for (const map of [
      queue.inflightMessages,
      queue.fifoMessages,
      queue.fifoDelayed,
      queue.fifoLockedGroups,
    ]) {
      map.clear();
    }
    disk.loadSqsMessages(queue);
  }
}

/**
 * SQS keeps a MessageGroupId on standard queues too (fair queues), and the trace header, given with a message or with
 * the request, and hands both to the consumer; fauxqs drops them there. What was just sent is the last of the queue:
 * there was no chance to take it yet.
 */
function keepingMore(send: Action): Action {
  return (input, store, request) => {
    const output = send(input, store, request);
    const queue = store.getQueue(String(input.QueueUrl));
    if (!queue || queue.isFifo()) return output;
    const header = request.headers['x-amzn-trace-id'];
    const entries = entriesOf(input as SendInput, output as SendOutput); // `send` has checked the one, made the other
    for (const message of [...queue.messages.slice(-BATCH_MAX), ...queue.delayedMessages.slice(-BATCH_MAX)]) {
      const entry = entries.get(message.messageId);
      if (!entry) continue;
      const traceHeader = entry.MessageSystemAttributes?.AWSTraceHeader?.StringValue ?? header;
      if (typeof traceHeader === 'string') message.traceHeader = traceHeader;
      if (entry.MessageGroupId === undefined) continue;
      message.messageGroupId = entry.MessageGroupId;
      queue.persistence?.updateMessageGroup(entry.MessageGroupId, message.messageId);
    }
    return output;
  };
}

/** What was asked of each message that was sent, by its message id. */
function entriesOf(input: SendInput, output: SendOutput): Map<string, SendEntry> {
  const asked = input.Entries ?? [{ ...input, Id: '' }];
  const sent = output.Successful ?? [{ ...output, Id: '' }];
  const entries = new Map<string, SendEntry>();
  for (const { Id, MessageId } of sent) {
    const entry = asked.find((each) => each.Id === Id);
    if (entry && MessageId !== undefined) entries.set(MessageId, entry);
  }
  return entries;
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
