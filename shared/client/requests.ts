import type { OnReply } from './commands.ts';
import { FanwireError } from './errors.ts';
import { type Ack, toJson } from './message.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { Timers } from './timers.ts';

interface Request {
  readonly json: string;
  readonly onReply: OnReply;
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

  send(command: object): Promise<Ack> {
    return new Promise((resolve, reject) => {
      const { queueMax } = this.#settings;
      if (this.#unanswered >= queueMax) {
        throw new FanwireError(
          'queue_full',
          `expected at most ${queueMax} commands without an answer, got more`,
        );
      }
      const json = toJson(command);
      this.#unanswered++;
      this.#start(json, (reply) => {
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
      commands.send(request.json, request.onReply);
    }
  }

  close(reason: FanwireError): void {
    this.#timers.clear();
    for (const { onReply } of this.#waiting) onReply(reason);
    this.#waiting.clear();
  }

  #start(json: string, onReply: OnReply): void {
    const { commandTimeoutMs } = this.#settings;
    const giveUp = () => {
      this.#waiting.delete(request);
      const expected = `expected a connection within ${commandTimeoutMs} ms, got none`;
      onReply(new FanwireError('disconnected', expected));
    };
    const request = { json, onReply, cancelTimeout: this.#timers.after(commandTimeoutMs, giveUp) };
    this.#waiting.add(request);
    this.flush();
  }
}
