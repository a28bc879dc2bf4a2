import { call } from './call.ts';
import type { FanwireError } from './errors.ts';

type Handler<A> = (argument: A) => unknown;

/** The application's handlers, by event. */
export class Emitter<Events extends { readonly error: FanwireError }> {
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>();

  on<E extends keyof Events>(event: E, handler: Handler<Events[E]>): () => void {
    // Wrapped, so that the same function may be given twice.
    const own: Handler<Events[E]> = (argument) => handler(argument);
    const handlers = this.#handlersOf(event);
    handlers.add(own);
    return () => handlers.delete(own);
  }

  emit<E extends keyof Events>(event: E, argument: Events[E]): void {
    for (const handler of [...this.#handlersOf(event)]) call(handler, argument, this.report);
  }

  /** An error goes to its handlers, or to the console if there are none, so that it is not lost. */
  readonly report = (error: FanwireError): void => {
    const handlers = [...this.#handlersOf('error')];
    if (handlers.length === 0) console.error(error);
    // A handler of errors that fails must not be told about it.
    for (const handler of handlers) call(handler, error, console.error);
  };

  #handlersOf<E extends keyof Events>(event: E): Set<Handler<Events[E]>> {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    return handlers as Set<Handler<Events[E]>>;
  }
}
