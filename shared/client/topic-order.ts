import { retryInMs } from './backoff.ts';
import type { Commands } from './commands.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Timers } from './timers.ts';
import type { Ack, SentAction, WrittenCommand } from './write.ts';

/** One command in the order of its topic. */
export interface Step<A extends SentAction> {
  /** Asked when its turn has come: the command, or undefined if there is nothing to send any more. */
  readonly command: () => WrittenCommand<A> | undefined | Promise<WrittenCommand<A> | undefined>;
  readonly onAck: (ack: Ack<A>) => void;
  /** Only an error that is final: after any other it is tried again. */
  readonly onRefused: (error: FanwireError) => void;
}

/**
 * Commands on the same topic one after the other, on different topics side by side: API Gateway runs the frames of a
 * connection side by side, so that an unsubscribe could overtake its subscribe.
 */
export class TopicOrder {
  readonly #commands: Commands;
  readonly #settings: Settings;
  readonly #timers: Timers;
  readonly #onIdle: () => void;
  /** By topic, in order, each as what starts it. The first has been started. There are no empty lists. */
  readonly #steps = new Map<string, (() => void)[]>();
  #isClosed = false;

  constructor(commands: Commands, settings: Settings, timers: Timers, onIdle: () => void) {
    this.#commands = commands;
    this.#settings = settings;
    this.#timers = timers;
    this.#onIdle = onIdle;
  }

  get idle(): boolean {
    return this.#steps.size === 0;
  }

  add<A extends SentAction>(topic: string, step: Step<A>): void {
    const start = () => this.#run(topic, step);
    const steps = this.#steps.get(topic);
    if (steps) {
      steps.push(start);
    } else {
      this.#steps.set(topic, [start]);
      start();
    }
  }

  /** Another connection takes over: from now on nothing is started, and answers are ignored. */
  close(): void {
    this.#isClosed = true;
  }

  #run<A extends SentAction>(topic: string, step: Step<A>, failures = 0): void {
    if (this.#isClosed) return;
    const onReply = (reply: Ack<A> | FanwireError) => {
      if (!this.#isClosed) this.#replied(topic, step, failures, reply);
    };
    const send = (command: WrittenCommand<A> | undefined) => {
      if (command) this.#commands.send(command, onReply);
      else if (!this.#isClosed) this.#next(topic);
    };
    const command = step.command();
    if (command instanceof Promise) command.then(send, onReply);
    else send(command);
  }

  #replied<A extends SentAction>(
    topic: string,
    step: Step<A>,
    failures: number,
    reply: Ack<A> | FanwireError,
  ): void {
    if (reply instanceof FanwireError && reply.temporary) {
      const again = () => this.#run(topic, step, failures + 1);
      this.#timers.after(retryInMs(reply, failures, this.#settings), again);
      return;
    }
    if (reply instanceof FanwireError) step.onRefused(reply);
    else step.onAck(reply);
    this.#next(topic);
  }

  #next(topic: string): void {
    const steps = this.#steps.get(topic) ?? [];
    steps.shift();
    const [start] = steps;
    if (start) {
      start();
    } else {
      this.#steps.delete(topic);
      if (this.idle) this.#onIdle();
    }
  }
}
