import { backoffMs } from './backoff.ts';
import type { Commands } from './commands.ts';
import { FanwireError } from './errors.ts';
import type { Ack } from './message.ts';
import type { Settings } from './options.ts';
import type { Timers } from './timers.ts';

export interface Step {
  /** Asked when its turn has come: the command, or undefined if there is nothing to send any more. */
  readonly command: () => string | undefined;
  readonly onAck: (ack: Ack) => void;
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
  /** By topic, in order; the first step is on its way. There are no empty lists. */
  readonly #steps = new Map<string, Step[]>();
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

  add(topic: string, step: Step): void {
    const steps = this.#steps.get(topic);
    if (steps) {
      steps.push(step);
    } else {
      this.#steps.set(topic, [step]);
      this.#run(topic, step);
    }
  }

  /** Another connection takes over: from now on nothing is started, and answers are ignored. */
  close(): void {
    this.#isClosed = true;
  }

  #run(topic: string, step: Step, failures = 0): void {
    if (this.#isClosed) return;
    const json = step.command();
    if (json === undefined) {
      this.#next(topic);
      return;
    }
    this.#commands.send(json, (reply) => {
      if (this.#isClosed) return;
      if (reply instanceof FanwireError && reply.temporary) {
        const again = () => this.#run(topic, step, failures + 1);
        this.#timers.after(backoffMs(failures, this.#settings), again);
        return;
      }
      if (reply instanceof FanwireError) step.onRefused(reply);
      else step.onAck(reply);
      this.#next(topic);
    });
  }

  #next(topic: string): void {
    const steps = this.#steps.get(topic) ?? [];
    steps.shift();
    const [step] = steps;
    if (step) {
      this.#run(topic, step);
    } else {
      this.#steps.delete(topic);
      if (this.idle) this.#onIdle();
    }
  }
}
