import { setTimeout as delay } from 'node:timers/promises';
import { type MessagesFrame, messagesIn } from '../../shared/protocol/acks.ts';
import { Connection, Failure } from './connection.ts';
import { Ledger, type Result } from './ledger.ts';
import { type LoadSettings, messagesOf } from './settings.ts';

/** How long after the last acknowledgement a message may still come: the five tries of one delivery take up to 45 s. */
const DRAIN_MS_MAX = 60_000;
/** A publisher that is behind its schedule by more than this when the time is up does not catch up. */
const OVERTIME_MS_MAX = 1_000;

type Fields = Readonly<Record<string, unknown>>;

/**
 * All clients of a run. Each connects and subscribes; when all have, each publishes its share on schedule, one message
 * after the other's acknowledgement; when all have, each waits for what is still to come. A client that cannot go on
 * says so in the ledger and keeps meeting the others, so that nobody waits for it.
 */
export class Clients {
  readonly #settings: LoadSettings;
  readonly #ledger: Ledger;
  readonly #joined: Meeting;
  readonly #published: Meeting;
  readonly #drained: Promise<unknown>;
  #startedAt = 0;
  #ended = 0;

  constructor(settings: LoadSettings, drainMsMax = DRAIN_MS_MAX) {
    const { clients, topics } = settings;
    this.#settings = settings;
    this.#ledger = new Ledger({ clients, topics, messages: messagesOf(settings) });
    this.#joined = meetingOf(clients);
    this.#published = meetingOf(clients);
    this.#drained = this.#published.over.then(() =>
      Promise.race([this.#ledger.complete(), delay(drainMsMax, undefined, { ref: false })]),
    );
  }

  /** Answers the client that ends last with the result. */
  async run(client: number): Promise<Result | undefined> {
    const connection = await this.#join(client);
    await this.#joined.arrive();
    this.#startedAt ||= now();
    if (connection) await this.#publishShare(client, connection);
    await this.#published.arrive();
    await this.#drained;
    connection?.close();
    return ++this.#ended === this.#settings.clients ? this.#ledger.result() : undefined;
  }

  async #join(client: number): Promise<Connection | undefined> {
    let connection: Connection | undefined;
    try {
      connection = await Connection.open(this.#settings.url, {
        onFrame: (frame) => this.#receive(client, frame),
        onDrop: (code) => {
          this.#ledger.failed(code);
          this.#ledger.left(client);
        },
      });
      this.#ledger.connected();
      await connection.command('subscribe', { topic: this.#topicOf(client) });
      this.#ledger.subscribed(client, now());
      return connection;
    } catch (error) {
      this.#ledger.failed(codeOf(error));
      connection?.close();
      return undefined;
    }
  }

  async #publishShare(client: number, connection: Connection): Promise<void> {
    const { clients, rate, durationSeconds } = this.#settings;
    const endsAt = this.#startedAt + durationSeconds * 1000 + OVERTIME_MS_MAX;
    for (let message = client; message < messagesOf(this.#settings); message += clients) {
      const waitMs = this.#startedAt + (message * 1000) / rate - now();
      if (waitMs > 0) await delay(waitMs);
      if (!connection.isOpen || now() > endsAt) return;
      await this.#publish(client, message, connection);
    }
  }

  async #publish(client: number, message: number, connection: Connection): Promise<void> {
    const { runId, clients, sizeBytes } = this.#settings;
    const sentAt = now();
    const stamp = {
      run: runId,
      publisher: client,
      sequence: Math.floor(message / clients),
      sentAt,
      padding: '',
    };
    const padding = 'x'.repeat(Math.max(0, sizeBytes - JSON.stringify(stamp).length));
    this.#ledger.sent(message, sentAt);
    try {
      await connection.command('publish', { topic: this.#topicOf(client), data: { ...stamp, padding } });
      this.#ledger.acknowledged(message, now());
    } catch (error) {
      this.#ledger.failed(codeOf(error));
    }
  }

  #receive(client: number, frame: Fields): void {
    if (frame.type === 'messages') {
      for (const message of messagesIn(frame as unknown as MessagesFrame))
        this.#receive(client, { ...message });
    } else if (frame.type === 'message') {
      const message = frame.topic === this.#topicOf(client) ? this.#numberOf(frame.data) : Number.NaN;
      if (!this.#ledger.received(client, message, now())) this.#ledger.failed('unexpected_message');
    } else {
      this.#ledger.failed(frame.type === 'error' ? String(frame.code) : 'unexpected_frame');
    }
  }

  /** NaN for what no client of this run can have published. */
  #numberOf(data: unknown): number {
    const { run, publisher, sequence } = (data ?? {}) as Fields;
    if (run !== this.#settings.runId) return Number.NaN;
    return Number(sequence) * this.#settings.clients + Number(publisher);
  }

  #topicOf(client: number): string {
    const { namespace, runId, topics } = this.#settings;
    return `${namespace}/${runId}/${client % topics}`;
  }
}

interface Meeting {
  readonly over: Promise<void>;
  /** Resolves once as many have arrived as are to come. */
  arrive(): Promise<void>;
}

function meetingOf(size: number): Meeting {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let missing = size;
  return {
    over,
    arrive() {
      if (--missing === 0) resolve();
      return over;
    },
  };
}

const codeOf = (error: unknown): string => (error instanceof Failure ? error.code : String(error));

/** Epoch milliseconds with fractions, from a clock that never goes back. */
const now = (): number => performance.timeOrigin + performance.now();
