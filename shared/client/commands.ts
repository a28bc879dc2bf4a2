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

/** A command of any action. */
interface Unsent {
  readonly action: SentAction;
  readonly json: string;
  readonly isAnswer: (ack: AnyAckFrame) => boolean;
  /** Takes no ack but one that is an answer. */
  readonly onReply: (reply: AnyAckFrame | FanwireError) => void;
}
interface Pending extends Omit<Unsent, 'json'> {
  readonly bytes: number;
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
  send<A extends SentAction>(command: WrittenCommand<A>, onReply: OnReply<A>, urgent = false): void {
    const { action, json, fits } = command;
    const isAnswer = (ack: AnyAckFrame) => ack.action === action && fits(ack as AnyAckFrame & Ack<A>);
    // With the action the ack has the type, which TypeScript cannot know.
    this.#add({ action, json, isAnswer, onReply: onReply as Unsent['onReply'] }, urgent);
  }

  /**
   * Hands an ack to the command with its id; false if there is none that waits for it. Gives an error if it is about
   * something else than that command: then Fanwire has not made it, and the command goes on waiting.
   */
  settle(ack: AnyAckFrame): boolean | FanwireError {
    const pending = this.#inFlight.get(ack.id ?? '');
    if (pending && !pending.isAnswer(ack)) {
      const expected = `expected the answer to a ${pending.action}, got another ack, of ${ack.action}`;
      return new FanwireError('bad_frame', expected);
    }
    return this.#reply(ack.id, ack);
  }

  /** Lets the command with this id fail; false if there is none that waits for it. */
  refuse(id: string | undefined, error: FanwireError): boolean {
    return this.#reply(id, error);
  }

  /** With a refusal the server has ended it because of one frame, which is the largest if it was too large. */
  end(reason: FanwireError, refusal = reason): void {
    this.#over = reason;
    this.#timers.clear();
    const inFlight = [...this.#inFlight.values()];
    const [largest] = inFlight.toSorted((a, b) => b.bytes - a.bytes);
    const unanswered = [...inFlight, ...this.#waiting];
    this.#inFlight.clear();
    this.#waiting = [];
    for (const command of unanswered) command.onReply(command === largest ? refusal : reason);
  }

  #reply(id = '', reply: AnyAckFrame | FanwireError): boolean {
    const pending = this.#inFlight.get(id);
    if (!pending) return false;
    this.#inFlight.delete(id);
    pending.cancelTimeout();
    this.#startWaiting();
    pending.onReply(reply);
    return true;
  }

  #startWaiting(): void {
    while (this.#inFlight.size < COMMANDS_IN_FLIGHT_MAX) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#add(next);
    }
  }

  #add(command: Unsent, urgent = false): void {
    if (this.#over) command.onReply(this.#over);
    else if (urgent || this.#inFlight.size < COMMANDS_IN_FLIGHT_MAX) this.#start(command);
    else this.#waiting.push(command);
  }

  #start({ json, ...command }: Unsent): void {
    const id = String(++this.#sent);
    const frame = `{"id":"${id}",${json.slice(1)}`;
    const bytes = bytesOf(frame);
    if (bytes > COMMAND_BYTES_MAX) {
      const expected = `expected a frame of at most ${COMMAND_BYTES_MAX} bytes, got ${bytes}`;
      command.onReply(new FanwireError('too_large', expected));
      return;
    }
    const late = () => {
      const expected = `expected an answer within ${this.#commandTimeoutMs} ms, got none`;
      this.refuse(id, new FanwireError('timeout', expected));
    };
    this.#inFlight.set(id, {
      ...command,
      bytes,
      cancelTimeout: this.#timers.after(this.#commandTimeoutMs, late),
    });
    this.#transmit(frame);
  }
}
