import type { MessageFields, ReceiptFrame } from '../protocol/acks.ts';
import { COMMAND_BYTES_MAX, PUBLISH_BATCH_MAX } from '../protocol/frames.ts';
import { bytesOf } from '../protocol/json.ts';
import { backoffMs } from './backoff.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { Timers } from './timers.ts';
import { type Ack, type OrUndefined, toJson, type WrittenCommand } from './write.ts';

/** What a frame has around its messages: action, id, brackets. */
const ENVELOPE_BYTES_MAX = 100;
/** Receipts that are kept, because they may overtake the answer to their publish. */
const RECEIPTS_MAX = 100;

export interface PublishOptions {
  /** Publishing again with the same key within 5 minutes publishes the same message. Unless given, a random one. */
  readonly key?: string;
  /** In seconds: subscribers that cannot be reached within this time do not get the message. */
  readonly maxAge?: number;
  /** Connections that do not get it: this one, or those with these ids. */
  readonly except?: 'self' | readonly string[];
  /** A message that is not newer than what the topic has had is dropped. */
  readonly version?: number;
  /** Wait until the message has its place in the topic's history. */
  readonly stored?: boolean;
}

export interface Published {
  readonly messageId: string;
}
/** Where a message is in its topic's history, or that it came too late to be there. */
export type Stored = Published &
  ({ readonly epoch: string; readonly offset: number } | { readonly dropped: 'stale' });

interface Publish {
  readonly json: string;
  readonly bytes: number;
  readonly isStored: boolean;
  /** It is rejected if it has not been sent by then. */
  readonly expiresAtMs: number;
  readonly resolve: (result: Published | Stored) => void;
  readonly reject: (error: FanwireError) => void;
  cancelTimeout: () => void;
  cancelReceiptTimeout: () => void;
  wasSent: boolean;
  /** It was in a frame that was refused, perhaps because of another message. */
  isSuspect: boolean;
  messageId: string | undefined;
}

/**
 * Sends what is published, in order: one frame at a time, because API Gateway runs frames side by side. What is published
 * meanwhile goes out with the next frame. What got no answer is sent again, and its key keeps it one message.
 */
export class Outbox {
  readonly #settings: Settings;
  readonly #session: () => Session | undefined;
  readonly #timers: Timers;
  /** All that have no result yet, in order. */
  readonly #open = new Set<Publish>();
  /** Those of them that the server has not taken. The others wait for their receipts. */
  #queue = new Set<Publish>();
  readonly #receipts = new Map<string, ReceiptFrame>();
  /** A frame is on its way, or the next one is put off. */
  #isBusy = false;
  #failures = 0;

  constructor(settings: Settings, session: () => Session | undefined) {
    this.#settings = settings;
    this.#session = session;
    this.#timers = new Timers(settings);
  }

  publish(topic: string, data: unknown, options: PublishOptions): Promise<Published | Stored> {
    const { now, newId, queueMax, publishTimeoutMs } = this.#settings;
    const { stored: isStored = false, key = newId(), maxAge = Infinity, except, version } = options;
    return new Promise((resolve, reject) => {
      const receipt = isStored ? true : undefined;
      const age = maxAge === Infinity ? undefined : maxAge;
      const message: OrUndefined<MessageFields> = { topic, data, key, maxAge: age, except, version, receipt };
      const json = toJson(message);
      const bytes = bytesOf(json) + 1;
      expectFits(bytes);
      if (this.#open.size >= queueMax) {
        throw new FanwireError(
          'queue_full',
          `expected at most ${queueMax} publishes without an answer, got more`,
        );
      }
      const publish: Publish = {
        json,
        bytes,
        isStored,
        expiresAtMs: now() + maxAge * 1000,
        resolve,
        reject,
        cancelTimeout: this.#timers.after(publishTimeoutMs, () =>
          this.#reject(publish, late(publishTimeoutMs)),
        ),
        cancelReceiptTimeout: () => {},
        wasSent: false,
        isSuspect: false,
        messageId: undefined,
      };
      this.#open.add(publish);
      this.#queue.add(publish);
      this.pump();
    });
  }

  /** Sends the next frame, if there is anything to send and a connection to send it on. */
  pump(): void {
    const session = this.#session();
    if (!session || this.#isBusy) return;
    this.#dropExpired();
    const batch = this.#nextBatch();
    if (batch.length === 0) return;
    this.#isBusy = true;
    for (const publish of batch) publish.wasSent = true;
    session.commands.send(commandOf(batch), (reply) => this.#answered(batch, reply));
  }

  /** The connection is gone, and with it the receipts that were to come on it. */
  suspend(): void {
    this.#queue = new Set(this.#open);
  }

  receipt(frame: ReceiptFrame): void {
    const waiting = [...this.#open].filter(({ messageId }) => messageId === frame.messageId);
    for (const publish of waiting) this.#resolve(publish, storedAs(frame));
    this.#receipts.set(frame.messageId, frame);
    const [oldest] = this.#receipts.keys();
    if (this.#receipts.size > RECEIPTS_MAX && oldest) this.#receipts.delete(oldest);
  }

  close(reason: FanwireError): void {
    for (const publish of this.#open) this.#reject(publish, reason);
    this.#timers.clear();
  }

  #dropExpired(): void {
    const now = this.#settings.now();
    for (const publish of this.#queue) {
      if (publish.wasSent || now < publish.expiresAtMs) continue;
      this.#reject(publish, new FanwireError('timeout', 'expected a connection within maxAge, got none'));
    }
  }

  #nextBatch(): Publish[] {
    const batch: Publish[] = [];
    let bytes = ENVELOPE_BYTES_MAX;
    for (const publish of this.#queue) {
      bytes += publish.bytes;
      if (batch.length > 0 && bytes > COMMAND_BYTES_MAX) break;
      batch.push(publish);
      if (publish.isSuspect || batch.length === PUBLISH_BATCH_MAX) break;
    }
    return batch;
  }

  #answered(batch: readonly Publish[], reply: Ack<'publish'> | FanwireError): void {
    this.#isBusy = false;
    if (!(reply instanceof FanwireError)) {
      this.#failures = 0;
      const messageIds = reply.messageIds ?? [reply.messageId];
      for (const [index, publish] of batch.entries()) this.#accepted(publish, String(messageIds[index]));
    } else if (reply.temporary) {
      // On the next connection it is tried at once.
      if (reply.code !== 'disconnected') this.#pause();
    } else if (batch.length > 1) {
      // One by one, so that only those fail that are to blame.
      for (const publish of batch) publish.isSuspect = true;
    } else {
      for (const publish of batch) this.#reject(publish, reply);
    }
    this.pump();
  }

  #pause(): void {
    this.#isBusy = true;
    this.#timers.after(backoffMs(this.#failures++, this.#settings), () => {
      this.#isBusy = false;
      this.pump();
    });
  }

  #accepted(publish: Publish, messageId: string): void {
    this.#queue.delete(publish);
    if (!this.#open.has(publish)) return;
    publish.messageId = messageId;
    const receipt = this.#receipts.get(messageId);
    if (!publish.isStored) this.#resolve(publish, { messageId });
    else if (receipt) this.#resolve(publish, storedAs(receipt));
    else this.#awaitReceipt(publish);
  }

  #awaitReceipt(publish: Publish): void {
    publish.cancelReceiptTimeout();
    publish.cancelReceiptTimeout = this.#timers.after(this.#settings.receiptTimeoutMs, () => {
      this.#queue.add(publish);
      this.pump();
    });
  }

  #resolve(publish: Publish, result: Published | Stored): void {
    this.#remove(publish);
    publish.resolve(result);
  }

  #reject(publish: Publish, error: FanwireError): void {
    this.#remove(publish);
    publish.reject(error);
  }

  #remove(publish: Publish): void {
    this.#open.delete(publish);
    this.#queue.delete(publish);
    publish.cancelTimeout();
    publish.cancelReceiptTimeout();
  }
}

const commandOf = (batch: readonly Publish[]): WrittenCommand<'publish'> => {
  const messages = batch.map(({ json }) => json);
  const json =
    messages.length === 1
      ? `{"action":"publish",${messages.join().slice(1)}`
      : `{"action":"publish","messages":[${messages}]}`;
  return { action: 'publish', json };
};

const storedAs = ({ messageId, ...receipt }: ReceiptFrame): Stored =>
  'dropped' in receipt
    ? { messageId, dropped: receipt.dropped }
    : { messageId, epoch: receipt.epoch, offset: receipt.offset };

function expectFits(bytes: number): void {
  const max = COMMAND_BYTES_MAX - ENVELOPE_BYTES_MAX;
  if (bytes > max)
    throw new FanwireError('too_large', `expected a message of at most ${max} bytes, got ${bytes}`);
}

const late = (ms: number): FanwireError =>
  new FanwireError(
    'timeout',
    `expected an answer within ${ms} ms, got none; it may have been published all the same`,
  );
