import type { MessageFields } from '../protocol/acks.ts';
import {
  COMMAND_BYTES_MAX,
  type Dropped,
  type Place,
  type Position,
  PUBLISH_BATCH_MAX,
} from '../protocol/frames.ts';
import { bytesOf } from '../protocol/json.ts';
import { expectToGive, key as keyRule } from './arguments.ts';
import { retryInMs } from './backoff.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { Timers } from './timers.ts';
import { type Ack, type OrUndefined, toJson, type WrittenCommand, wireAge } from './write.ts';

/** What a frame has around its messages: action, id, brackets. */
const ENVELOPE_BYTES_MAX = 100;

export interface PublishOptions {
  /** Publishing again with the same key within 5 minutes publishes the same message. Unless given, a random one. */
  readonly key?: string;
  /** In seconds: subscribers that cannot be reached within this time do not get the message. */
  readonly maxAge?: number;
  /** Connections that do not get it: this one, or those with these ids. */
  readonly except?: 'self' | readonly string[];
  /** A message that is not newer than what the topic has had is dropped. */
  readonly version?: number;
  /** The topic is to keep history, so that the answer says where the message is in it. */
  readonly stored?: boolean;
}

/** A message, and its place if its topic keeps history. */
export type Published = { readonly messageId: string } & Partial<Position & Dropped>;
/** Where a message is in its topic's history, or that it came too late to be there. */
export type Stored = { readonly messageId: string } & Place;

interface Publish {
  readonly json: string;
  readonly bytes: number;
  readonly isStored: boolean;
  /** It is rejected if it has not been sent by then. */
  readonly expiresAtMs: number;
  readonly resolve: (result: Published) => void;
  readonly reject: (error: FanwireError) => void;
  cancelTimeout: () => void;
  wasSent: boolean;
  /** It was in a frame that was refused, perhaps because of another message. */
  isSuspect: boolean;
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
  readonly #queue = new Set<Publish>();
  /** A frame is on its way, or the next one is put off. */
  #isBusy = false;
  #failures = 0;
  /** What the server knows by that a key is this client's, on whatever connection. */
  #family: string | undefined;
  /** What goes out together; a message alone may be larger. It shrinks if the server takes less than API Gateway does. */
  #frameBytesMax = COMMAND_BYTES_MAX;

  constructor(settings: Settings, session: () => Session | undefined) {
    this.#settings = settings;
    this.#session = session;
    this.#timers = new Timers(settings);
  }

  async publish(topic: string, data: unknown, options: PublishOptions): Promise<Published> {
    const { now, queueMax, publishTimeoutMs } = this.#settings;
    const { stored: isStored = false, key, maxAge = Infinity, except, version } = options;
    return new Promise((resolve, reject) => {
      this.#family ??= key && this.#newKey();
      const message: OrUndefined<MessageFields> = {
        topic,
        data,
        key: key ?? this.#newKey(),
        family: key && this.#family,
        maxAge: wireAge(maxAge),
        except,
        version,
      };
      const json = toJson(message);
      const bytes = bytesOf(json) + 1;
      expectFits(bytes);
      if (this.#queue.size >= queueMax) {
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
        wasSent: false,
        isSuspect: false,
      };
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
    session.commands.send(commandOf(batch), (reply) => this.#answered(batch, reply, session));
  }

  close(reason: FanwireError): void {
    for (const publish of this.#queue) this.#reject(publish, reason);
    this.#timers.clear();
  }

  /** Tried here and not before, because ids are used up. */
  #newKey(): string {
    return expectToGive('newId', this.#settings.newId, keyRule) as string; // the rule says so
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
      if (batch.length > 0 && bytes > this.#frameBytesMax) break;
      batch.push(publish);
      if (publish.isSuspect || batch.length === PUBLISH_BATCH_MAX) break;
    }
    return batch;
  }

  #answered(batch: readonly Publish[], reply: Ack<'publish'> | FanwireError, { isOpen }: Session): void {
    this.#isBusy = false;
    if (!(reply instanceof FanwireError)) {
      this.#failures = 0;
      for (const [index, answer] of publishedIn(reply).entries()) {
        const publish = batch[index];
        if (publish) this.#accepted(publish, answer);
      }
    } else if (reply.temporary) {
      // On the next connection it is tried at once.
      if (reply.code !== 'disconnected') this.#pause(reply);
    } else if (batch.length > 1) {
      // Not if it is a message that is: then the frame got an answer.
      if (reply.code === 'too_large' && !isOpen) this.#frameBytesMax /= 2;
      // One by one, so that only those fail that are to blame.
      for (const publish of batch) publish.isSuspect = true;
    } else {
      for (const publish of batch) this.#reject(publish, reply);
    }
    this.pump();
  }

  #pause(reason: FanwireError): void {
    this.#isBusy = true;
    this.#timers.after(retryInMs(reason, this.#failures++, this.#settings), () => {
      this.#isBusy = false;
      this.pump();
    });
  }

  #accepted(publish: Publish, answer: Published): void {
    if (publish.isStored && answer.offset === undefined && answer.dropped === undefined) {
      this.#reject(publish, notKept());
    } else {
      this.#remove(publish);
      publish.resolve(answer);
    }
  }

  #reject(publish: Publish, error: FanwireError): void {
    this.#remove(publish);
    publish.reject(error);
  }

  #remove(publish: Publish): void {
    this.#queue.delete(publish);
    publish.cancelTimeout();
  }
}

const commandOf = (batch: readonly Publish[]): WrittenCommand<'publish'> => {
  const messages = batch.map(({ json }) => json);
  return messages.length === 1
    ? {
        action: 'publish',
        json: `{"action":"publish",${messages.join().slice(1)}`,
        fits: ({ messageIds }) => messageIds === undefined,
      }
    : {
        action: 'publish',
        json: `{"action":"publish","messages":[${messages}]}`,
        fits: ({ messageIds }) => messageIds?.length === batch.length,
      };
};

/** What an answer says of each message. */
const publishedIn = (reply: Ack<'publish'>): Published[] => {
  if (reply.messageIds === undefined) return [{ messageId: reply.messageId, ...placeIn(reply) }];
  const { messageIds, places = [] } = reply;
  return messageIds.map((messageId, index) => ({ messageId, ...placeIn(places[index] ?? {}) }));
};

const placeIn = ({ epoch, offset, dropped }: Partial<Position & Dropped>): Partial<Position & Dropped> => ({
  ...(epoch !== undefined && offset !== undefined && { epoch, offset }),
  ...(dropped !== undefined && { dropped }),
});

const notKept = (): FanwireError =>
  new FanwireError(
    'bad_request',
    'expected a topic that keeps history, got one that does not; it was published',
  );

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
