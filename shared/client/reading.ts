import type { LogLoss, LogPage } from '../protocol/acks.ts';
import { HISTORY_LIMIT_MAX, type Position } from '../protocol/frames.ts';
import { backoffMs, retryInMs } from './backoff.ts';
import { FanwireError } from './errors.ts';
import { type PlacedMessage, placedIn } from './message.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { isComing } from './stream.ts';
import type { Timers } from './timers.ts';
import { writeCommand } from './write.ts';

export interface ReadingDeps {
  /** Entries that are read before any of them is given out. */
  readonly entriesMax: number;
  readonly settings: Settings;
  readonly timers: Timers;
  readonly grant: () => string | undefined;
  /** Where commands go now. */
  readonly session: () => Session | undefined;
}

/** One of them is called, once, unless the reading is stopped. */
interface ReadingHooks {
  /** These are all entries up to the position. If `isCut`, there are still more after it. */
  readonly onRead: (to: Position, entries: readonly PlacedMessage[], isCut: boolean) => void;
  readonly onLost: (loss: LogLoss) => void;
  readonly onRefused: (after: Position, error: FanwireError) => void;
}

/**
 * Reads a log on from a page that says there is more. All of it or nothing: a later page may say that the log no longer
 * reaches back, and then the earlier ones must not have been given out.
 */
export class Reading {
  readonly #topic: string;
  readonly #deps: ReadingDeps;
  readonly #hooks: ReadingHooks;
  readonly #entries: PlacedMessage[] = [];
  #failures = 0;
  #isStopped = false;

  constructor(topic: string, deps: ReadingDeps, hooks: ReadingHooks) {
    this.#topic = topic;
    this.#deps = deps;
    this.#hooks = hooks;
  }

  /** Its timers belong to the caller, who clears them. */
  stop(): void {
    this.#isStopped = true;
  }

  take(page: LogPage): void {
    const { epoch, offset, more = false } = page;
    this.#entries.push(...placedIn(this.#topic, page));
    if (more && this.#entries.length < this.#deps.entriesMax) this.#ask({ epoch, offset });
    else this.#hooks.onRead({ epoch, offset }, this.#entries, more);
  }

  #ask(after: Position): void {
    const grant = this.#deps.grant();
    const command = writeCommand('history', { topic: this.#topic, after, limit: HISTORY_LIMIT_MAX, grant });
    // Without a connection it ends here: subscribing again on the next one starts another reading.
    this.#deps.session()?.commands.send(command, (reply) => {
      if (this.#isStopped) return;
      const { settings } = this.#deps;
      if (reply instanceof FanwireError) {
        if (reply.temporary) this.#askLater(after, retryInMs(reply, this.#failures++, settings));
        else this.#hooks.onRefused(after, reply);
      } else if (isStuck(after, reply)) this.#askLater(after, backoffMs(this.#failures++, settings));
      else if (reply.recovered === false) this.#hooks.onLost(reply);
      else this.take(reply);
    });
  }

  #askLater(after: Position, ms: number): void {
    this.#deps.timers.after(ms, () => this.#ask(after));
  }
}

/** What was asked for is still to come: it may have been written just now, and asking at once could go on for ever. */
const isStuck = (after: Position, { epoch, offset, more }: LogPage | LogLoss): boolean =>
  more === true && ((epoch !== after.epoch && !isComing(after)) || offset <= after.offset);
