import type { Deadlines, Expiring } from './deadlines.ts';
import type { Answer } from './transport.ts';

/** What works on an exchange: a socket or a queue. It is told when the answer is no longer wanted. */
export interface Carrier {
  drop(exchange: Exchange<unknown>): void;
}

/** One request and the promise of its answer. It settles once: with an answer, or with what went wrong as a value. */
export class Exchange<Request> implements Expiring {
  readonly request: Request;
  expiresAt: number;
  readonly answered: Promise<Answer | Error>;
  settled = false;
  /** Set by the transport for as long as it works on this. */
  carrier: Carrier | undefined;
  readonly #deadlines: Deadlines;
  readonly #answerMs: number;
  #resolve: (result: Answer | Error) => void = () => {};

  /** Ends at `expiresAt`, and `answerMs` after its request was written. */
  constructor(request: Request, expiresAt: number, deadlines: Deadlines, answerMs = Infinity) {
    this.request = request;
    this.expiresAt = expiresAt;
    this.#deadlines = deadlines;
    this.#answerMs = answerMs;
    this.answered = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    deadlines.add(this);
  }

  /** Its request has been written: what it waits for now is the answer. */
  written(): void {
    if (this.#answerMs === Infinity) return;
    this.expiresAt = Math.min(this.expiresAt, this.#deadlines.next(this.#answerMs));
    this.#deadlines.add(this);
  }

  settle(result: Answer | Error): void {
    if (this.settled) return;
    this.settled = true;
    this.carrier = undefined;
    this.#deadlines.delete(this);
    this.#resolve(result);
  }

  expire(error: Error): void {
    const { carrier } = this;
    this.settle(error);
    carrier?.drop(this);
  }

  /** Listens to an AbortSignal itself: a closure for every post would be dearer. */
  handleEvent(): void {
    this.expire(abortError());
  }
}

/** Ends an exchange when the signal is aborted. A signal may outlive many exchanges, so it is let go of when one settles. */
export function endWith(exchange: Exchange<unknown>, signal: AbortSignal): void {
  signal.addEventListener('abort', exchange);
  void exchange.answered.then(() => signal.removeEventListener('abort', exchange));
}

/** The error that the SDK throws. */
export const abortError = (): Error => Object.assign(new Error('Request aborted'), { name: 'AbortError' });
