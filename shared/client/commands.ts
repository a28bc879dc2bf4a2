import type { AnyAckFrame } from '../protocol/acks.ts';
import { COMMAND_BYTES_MAX } from '../protocol/frames.ts';
import { bytesOf } from '../protocol/json.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import { Timers } from './timers.ts';
import type { Ack, SentAction, WrittenCommand } from './write.ts';

/** So that 100 subscriptions after a reconnect are no flood: each command runs a Lambda of its own. */
const COMMANDS_IN_FLIGHT_MAX = 16;

/** Called once, with the ack of the command's action or with an error. */
export type OnReply<A extends SentAction> = (reply: Ack<A> | FanwireError) => void;

/** A command of any action: its `onReply` finds out whether an ack is the one of that action. */
interface Unsent {
  readonly json: string;
  readonly onReply: (reply: AnyAckFrame | FanwireError) => void;
}
interface Pending extends Pick<Unsent, 'onReply'> {
  readonly cancelTimeout: () => void;
}

/** Tells which reply is for which command, on one connection. Every command gets exactly one answer, if only an error. */
export class Commands {
  readonly #commandTimeoutMs: number;
  readonly #transmit: (text: string) => void;
  readonly #timers: Timers;
  readonly #inFlight = new Map<string, Pending>();
  /** In order of arrival. It needs no bound, because its callers bound how many commands they give. */
  #waiting: Unsent[] = [];
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

  /** An urgent command does not wait for its turn. */
  send<A extends SentAction>({ action, json }: WrittenCommand<A>, onReply: OnReply<A>, urgent = false): void {
    this.#add({ json, onReply: expectAckOf(action, onReply) }, urgent);
  }

  /** Hands a reply to the command with this id; false if there is none that waits for it. */
  settle(id: string | undefined, reply: AnyAckFrame | FanwireError): boolean {
    const pending = this.#inFlight.get(id ?? '');
    if (!id || !pending) return false;
    this.#inFlight.delete(id);
    pending.cancelTimeout();
    const next = this.#waiting.shift();
    if (next) this.#add(next);
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

  #add(command: Unsent, urgent = false): void {
    if (this.#over) command.onReply(this.#over);
    else if (urgent || this.#inFlight.size < COMMANDS_IN_FLIGHT_MAX) this.#start(command);
    else this.#waiting.push(command);
  }

  #start({ json, onReply }: Unsent): void {
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

/** The ack of a command names its action. One that names another is no answer of Fanwire's, so the command has failed. */
const expectAckOf =
  <A extends SentAction>(action: A, onReply: OnReply<A>): Unsent['onReply'] =>
  (reply) => {
    if (reply instanceof FanwireError || isAckOf(action, reply)) onReply(reply);
    else {
      const expected = `expected an ack of ${action}, got one of ${reply.action}`;
      onReply(new FanwireError('bad_frame', expected, { temporary: true }));
    }
  };

const isAckOf = <A extends SentAction>(action: A, ack: AnyAckFrame): ack is AnyAckFrame & Ack<A> =>
  ack.action === action;
