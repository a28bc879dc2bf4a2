import type { Position } from '../protocol/frames.ts';
import type { FanwireError } from './errors.ts';
import type { Feed, SubscriptionState } from './feed.ts';
import type { Message } from './message.ts';

/**
 * A subscription to a topic or a pattern. Messages go to `onMessage`, or else wait to be iterated over.
 * Leaving the iteration ends the subscription. If messages are lost and there is no `onRecovery` to hear of it, the
 * iteration throws a `FanwireError` with the code `lost` and the `Recovery` as its cause; `position` says where to go on.
 *
 * @example
 * for await (const { data } of client.subscribe('chat/lobby', { rewind: 10 })) show(data);
 */
export class Subscription<T = unknown> implements AsyncIterable<Message<T>> {
  readonly #feed: Feed;
  readonly #onEnd: () => void;

  constructor(feed: Feed, onEnd: () => void) {
    this.#feed = feed;
    this.#onEnd = onEnd;
  }

  get topic(): string {
    return this.#feed.topic;
  }

  /** `subscribing` again after a drop, until the server has said what was missed. */
  get state(): SubscriptionState {
    return this.#feed.state;
  }

  /** Why it has ended, if the application did not end it: the server refused it, or a loop lost messages. */
  get error(): FanwireError | undefined {
    return this.#feed.error;
  }

  /** Resolves once messages come in, and rejects if they never will. */
  get ready(): Promise<void> {
    return this.#feed.ready;
  }

  /**
   * Up to where the application has processed what came, on a topic with history. A message counts once `onMessage` has
   * returned, or the loop asks for the next one. Give it to the next `subscribe` to go on from here.
   */
  get position(): Position | undefined {
    return this.#feed.position;
  }

  /** From now on nothing is delivered. Within `onMessage` or a loop, the message at hand counts as processed. */
  unsubscribe(): void {
    this.#feed.inbox.done();
    this.#end();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>, undefined> {
    // A loop may be left because of an error in it, so the message at hand does not count as processed.
    const iterator = this.#feed.inbox.iterate(() => this.#end());
    // That the data is a T is the application's word.
    return iterator as AsyncIterableIterator<Message<T>, undefined>;
  }

  #end(): void {
    this.#feed.end();
    this.#onEnd();
  }
}
