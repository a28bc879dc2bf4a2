import { COMMAND_BYTES_MAX } from '../protocol/frames.ts';
import { bytesOf } from '../protocol/json.ts';
import { FanwireError } from './errors.ts';
import type { Ack } from './message.ts';
import type { Settings } from './options.ts';
import { Timers } from './timers.ts';

/** So that 100 subscriptions after a reconnect are no flood: each command runs a Lambda of its own. */
export const COMMANDS_IN_FLIGHT_MAX = 16;

export type OnReply = (reply: Ack | FanwireError) => void;

interface Pending {
  readonly onReply: OnReply;
  readonly cancelTimeout: () => void;
}

/** Tells which reply is for which command, on one connection. Every command gets exactly one answer, if only an error. */
export class Commands {
  readonly #commandTimeoutMs: number;
  readonly #transmit: (text: string) => void;
  readonly #timers: Timers;
  readonly #inFlight = new Map<string, Pending>();
  /** In order of arrival. As long as it may be: those who give commands have bounds of their own. */
  #waiting: { readonly json: string; readonly onReply: OnReply }[] = [];
  #sent = 0;
  #over: FanwireError | undefined;

  constructor(settings: Settings, transmit: (text: string) => void) {
    this.#commandTimeoutMs = settings.commandTimeoutMs;
    this.#transmit = transmit;
    this.#timers = new Timers(settings);
  }

  get idle(): boolean {
    return this.#inFlight.size === 0;
  }

  get over(): boolean {
    return this.#over !== undefined;
  }

  /** `json` is the command without its id. An urgent one does not wait for its turn. */
  send(json: string, onReply: OnReply, urgent = false): void {
    if (this.#over) onReply(this.#over);
    else if (urgent || this.#inFlight.size < COMMANDS_IN_FLIGHT_MAX) this.#start(json, onReply);
    else this.#waiting.push({ json, onReply });
  }

  /** Whether anybody waits for a reply with this id. */
  settle(id: string | undefined, reply: Ack | FanwireError): boolean {
    const pending = this.#inFlight.get(id ?? '');
    if (!id || !pending) return false;
    this.#inFlight.delete(id);
    pending.cancelTimeout();
    const next = this.#waiting.shift();
    if (next) this.send(next.json, next.onReply);
    pending.onReply(reply);
    return true;
  }

  end(reason: FanwireError): void {
    this.#over = reason;
    this.#timers.clear();
    const unanswered = [...this.#inFlight.values(), ...this.#waiting];
    this.#inFlight.clear();
    this.#waiting = [];
    for (const { onReply } of unanswered) onReply(reason);
  }

  #start(json: string, onReply: OnReply): void {
    const id = String(++this.#sent);
    const frame = `{"id":"${id}",${json.slice(1)}`;
    const bytes = bytesOf(frame);
    if (bytes > COMMAND_BYTES_MAX) {
      const expected = `expected a frame of at most ${COMMAND_BYTES_MAX} bytes, got ${bytes}`;
      onReply(new FanwireError('too_large', expected));
      return;
    }
    const late = () => {
      const expected = `expected an answer within ${this.#commandTimeoutMs} ms, got none`;
      this.settle(id, new FanwireError('timeout', expected));
    };
    this.#inFlight.set(id, { onReply, cancelTimeout: this.#timers.after(this.#commandTimeoutMs, late) });
    this.#transmit(frame);
  }
}
