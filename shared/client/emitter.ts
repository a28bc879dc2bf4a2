import { call } from './call.ts';
import type { FanwireError } from './errors.ts';

type Handler<A> = (argument: A) => unknown;

/**
 * The application's handlers, by event. What happens while they run waits until all of them have heard of this: none
 * hears of a later state before an earlier one.
 */
export class Emitter<Events extends { readonly error: FanwireError }> {
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>();
  readonly #waiting: (() => void)[] = [];
  #isEmitting = false;

  on<E extends keyof Events>(event: E, handler: Handler<Events[E]>): () => void {
    // Wrapped, so that the same function may be given twice.
    const own: Handler<Events[E]> = (argument) => handler(argument);
    const handlers = this.#handlersOf(event);
    handlers.add(own);
    return () => handlers.delete(own);
  }

  emit<E extends keyof Events>(event: E, argument: Events[E]): void {
    this.#inTurn(() => this.#callAll(event, argument, this.report));
  }

  /** An error goes to its handlers, or to the console if there are none, so that it is not lost. */
  readonly report = (error: FanwireError): void => {
    this.#inTurn(() => {
      // A handler of errors that fails must not be told about it.
      if (this.#handlersOf('error').size > 0) this.#callAll('error', error, console.error);
      else console.error(error);
    });
  };

  #inTurn(run: () => void): void {
    this.#waiting.push(run);
    if (this.#isEmitting) return;
    this.#isEmitting = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next();
    this.#isEmitting = false;
  }

  #callAll<E extends keyof Events>(
    event: E,
    argument: Events[E],
    onError: (error: FanwireError) => void,
  ): void {
    const handlers = this.#handlersOf(event);
    for (const handler of [...handlers]) {
      // One before it may have taken it off.
      if (handlers.has(handler)) call(handler, argument, onError);
    }
  }

  #handlersOf<E extends keyof Events>(event: E): Set<Handler<Events[E]>> {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    return handlers as Set<Handler<Events[E]>>;
  }
}
