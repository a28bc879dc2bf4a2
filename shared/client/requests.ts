import type { Commands, OnReply } from './commands.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { Timers } from './timers.ts';
import { type Ack, type Fields, type SentAction, type WrittenCommand, writeCommand } from './write.ts';

interface Request {
  readonly send: (commands: Commands) => void;
  readonly fail: (error: FanwireError) => void;
  readonly cancelTimeout: () => void;
}

/** Commands that the application gives: each is sent once, and waits for a connection if there is none. */
export class Requests {
  readonly #settings: Settings;
  readonly #session: () => Session | undefined;
  readonly #timers: Timers;
  /** No connection yet. */
  readonly #waiting = new Set<Request>();
  #unanswered = 0;

  constructor(settings: Settings, session: () => Session | undefined) {
    this.#settings = settings;
    this.#session = session;
    this.#timers = new Timers(settings);
  }

  send<A extends SentAction>(action: A, fields: Fields<A>): Promise<Ack<A>> {
    return new Promise((resolve, reject) => {
      const { queueMax } = this.#settings;
      if (this.#unanswered >= queueMax) {
        throw new FanwireError(
          'queue_full',
          `expected at most ${queueMax} commands without an answer, got more`,
        );
      }
      const command = writeCommand(action, fields);
      this.#unanswered++;
      this.#start(command, (reply) => {
        this.#unanswered--;
        if (reply instanceof FanwireError) reject(reply);
        else resolve(reply);
      });
    });
  }

  /** There may be a connection now. */
  flush(): void {
    const commands = this.#session()?.commands;
    if (!commands) return;
    for (const request of this.#waiting) {
      this.#waiting.delete(request);
      request.cancelTimeout();
      request.send(commands);
    }
  }

  close(reason: FanwireError): void {
    this.#timers.clear();
    for (const { fail } of this.#waiting) fail(reason);
    this.#waiting.clear();
  }

  #start<A extends SentAction>(command: WrittenCommand<A>, onReply: OnReply<A>): void {
    const { commandTimeoutMs } = this.#settings;
    const giveUp = () => {
      this.#waiting.delete(request);
      const expected = `expected a connection within ${commandTimeoutMs} ms, got none`;
      onReply(new FanwireError('disconnected', expected));
    };
    const request: Request = {
      send: (commands) => commands.send(command, onReply),
      fail: onReply,
      cancelTimeout: this.#timers.after(commandTimeoutMs, giveUp),
    };
    this.#waiting.add(request);
    this.flush();
  }
}
